import { expect, test } from "vitest";
import { plainText } from "./plain-text.ts";

const plain = (text: string): string => plainText(Buffer.from(text, "latin1")).toString("latin1");

test("comments are blanks, and lines that go on are one", () => {
  expect(plain("int a; /* one\n * two */ int b; // three\nint c;\n")).toBe("int a;   int b; \nint c;\n");
  expect(plain("#define A x \\\n  y\nna\\\nme\n")).toBe("#define A x   y\nname\n");
  expect(plain("#define A x \\ \t\r\n  y\n")).toBe("#define A x   y\n");
});

test("what looks like a comment in a string is none, and a string begins none that is open for longer than its line", () => {
  expect(plain('char *a = "/* no */ // no";\n')).toBe('char *a = "/* no */ // no";\n');
  expect(plain("char a = '\"'; /* x */ char b;\n")).toBe("char a = '\"';   char b;\n");
  expect(plain('a = "\\"/*"; /* x */\n')).toBe('a = "\\"/*";  \n');
});

test("where a quote is not closed the rest of its line stays, and nothing after it is lost", () => {
  expect(plain("#error don't /* x */\nint a; /* y */\n")).toBe("#error don't /* x */\nint a;  \n");
  expect(plain("int a; /* not closed\nint b;\n")).toBe("int a; /* not closed\nint b;\n");
});
