import fc from "fast-check";
import { expect, test } from "vitest";
import { definitionsIn } from "./definitions.ts";

function found(text: string): unknown[] {
  return definitionsIn(text).map(({ kind, start, end, names, isStatic }) => [kind, start, end, names, isStatic]);
}

test.each([
  ["a function", "int f(int a)\n{\n\treturn a;\n}\n", [["function", 0, 4, ["f"], false]]],
  ["one of this file alone", "static int f(void) { return 1; }", [["function", 0, 1, ["f"], true]]],
  ["one with attributes", "__attribute__((noinline)) int f(int n) { return n; }", [["function", 0, 1, ["f"], false]]],
  [
    "one with a lock's attribute behind it",
    "static int f(struct a *b)\n\t__must_hold(&b->lock)\n{\n}\n",
    [["function", 0, 4, ["f"], true]],
  ],
  [
    "one that a macro makes",
    "SYSCALL_DEFINE2(pipe2, int *, fd, int, flags)\n{\n}\n",
    [["function", 0, 3, ["SYSCALL_DEFINE2", "pipe2"], false]],
  ],
  ["a type with its typedef's name", "typedef struct a {\n\tint b;\n} c;\n", [["type", 0, 3, ["a", "c"], false]]],
  ["an enumeration with its words", "enum e { ONE, TWO = 2 };", [["type", 0, 1, ["e", "ONE", "TWO"], false]]],
  [
    "a variable with what it starts with",
    "static const struct ops o = {\n\t.f = f,\n};\n",
    [["other", 0, 3, ["o"], true]],
  ],
  [
    "a macro of several lines",
    "#define M(a) \\\n\t((a) + 1)\nint x;\n",
    [
      ["macro", 0, 2, ["M"], false],
      ["other", 2, 3, ["x"], false],
    ],
  ],
  [
    "what a comment and a string hold is none",
    '/* int f(void) { */\nchar *s = "{";\nint g(void) { return 0; }\n',
    [
      ["other", 1, 2, ["s"], false],
      ["function", 2, 3, ["g"], false],
    ],
  ],
  [
    "branches that open a brace twice",
    "int f(void)\n{\n#ifdef A\n\tif (a) {\n#else\n\tif (b) {\n#endif\n\t}\n}\nint g(void) { return 0; }\n",
    [
      ["function", 0, 9, ["f"], false],
      ["function", 9, 10, ["g"], false],
    ],
  ],
])("%s is found with its lines and names", (_, text, expected) => {
  expect(found(text)).toEqual(expected);
});

test("whatever the text, definitions lie in it, in order and beside each other", () => {
  const piece = fc.constantFrom(
    "{",
    "}",
    "(",
    ")",
    ";",
    "\n",
    " ",
    '"',
    "'",
    "/*",
    "*/",
    "//",
    "#define A",
    "#if",
    "\\\n",
    "int",
    "f",
    "struct s",
    "static",
    "=",
    "[3]",
    ",",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 80 }), (pieces) => {
      const text = pieces.join("");
      const lines = text.split("\n").length;
      const sorted = definitionsIn(text).toSorted((a, b) => a.start - b.start);
      for (const [i, { start, end }] of sorted.entries()) {
        expect(start).toBeLessThan(end);
        expect(end).toBeLessThanOrEqual(lines);
        if (sorted[i - 1]?.kind !== "macro" && sorted[i]?.kind !== "macro")
          expect(start).toBeGreaterThanOrEqual(sorted[i - 1]?.start ?? 0);
      }
    }),
  );
});
