import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { markLines } from "./line-marks.ts";

/** The numbers that gcc gives to the lines `int NAME = __LINE__;`, by name. */
function numbers(text: string, ...options: string[]): Record<string, number> {
  const output = execFileSync("gcc", ["-E", "-P", ...options, "-x", "c", "-"], { input: text, encoding: "utf8" });
  const found: Record<string, number> = {};
  for (const [, name = "", line = ""] of output.matchAll(/\bint (\w+) = (\d+)/g)) found[name] = Number(line);
  return found;
}

function expectSameNumbers(original: string, patched: string, ...options: string[]): void {
  const before = numbers(original, ...options);
  const after = numbers(markLines(original, patched), ...options);
  for (const name of Object.keys(before)) {
    if (name in after) expect([name, after[name]]).toEqual([name, before[name]]);
  }
  expect(Object.keys(after).length).toBeGreaterThan(0);
}

describe("lines that a diff only moves keep their numbers", () => {
  test("after lines that are added", () => {
    const original = "int a = __LINE__;\nint b = __LINE__;\n";
    expectSameNumbers(original, original.replace("int b", "int new1;\nint new2;\nint b"));
  });

  test("after lines that are taken away", () => {
    const original = "int a = __LINE__;\nint x;\nint y;\nint b = __LINE__;\n";
    expectSameNumbers(original, "int a = __LINE__;\nint b = __LINE__;\n");
  });

  test("where a function is moved to another place", () => {
    const moved = "int f(int n)\n{\n\tint inner = __LINE__;\n\treturn n;\n}\n";
    const rest = "int a = __LINE__;\nint x;\nint y;\nint z;\nint v;\nint w;\nint b = __LINE__;\n";
    expectSameNumbers(`${moved}${rest}`, `${rest}${moved}`);
    expectSameNumbers(`${rest}${moved}`, `${moved}${rest}`);
    expectSameNumbers(`#if 1\n${moved}#endif\n${rest}`, `${rest}#if 1\n${moved}#endif\nint more;\n`);
    // What is in both places is a copy, and has its own.
    const copy = moved.replace("int f", "int g").replace("inner", "copied");
    expect(numbers(markLines(`${moved}${rest}`, `${moved}${rest}${copy}`))["copied"]).toBe(15);
  });

  test("in the rest of the function that changes", () => {
    const original = "void f(void)\n{\n\tg();\n\tint b = __LINE__;\n}\n";
    expectSameNumbers(original, original.replace("\tg();\n", "\tg();\n\th();\n"));
  });

  test("after a change within a comment that spans lines", () => {
    const original = "/* one\n * two\n */\nint b = __LINE__;\n";
    expectSameNumbers(original, original.replace(" * two\n", ' * two\n * more (\n * "more\n'));
  });

  test("after a change within a macro's definition", () => {
    const original = "#define M(x) \\\n\tf(x); \\\n\tg(x)\nint b = __LINE__;\n";
    const patched = original.replace("\tf(x); \\\n", "\tf(x); \\\n\tf(x); \\\n");
    expect(numbers(markLines(original, patched))).toEqual({ b: 4 });
  });

  test("after a change within a macro's arguments, where no directive can stand", () => {
    const original = "#define M(...) f(__VA_ARGS__)\nM(1,\n  2,\n  3);\nint b = __LINE__;\n";
    const patched = original.replace("  2,\n", "  2,\n  2,\n");
    expect(numbers(markLines(original, patched))).toEqual({ b: 5 });
    expect(
      execFileSync("gcc", ["-E", "-P", "-x", "c", "-"], { input: markLines(original, patched), encoding: "utf8" }),
    ).toContain("f(1, 2, 2, 3)");
  });

  test.each([[], ["-DON"]])("after a change in a branch of an #if (gcc %j)", (...options) => {
    const original =
      "#ifdef ON\nint a = __LINE__;\nint b = __LINE__;\n#else\nint c = __LINE__;\n#endif\nint d = __LINE__;\n";
    expectSameNumbers(original, original.replace("int b", "int new1;\nint b"), ...options);
    expectSameNumbers(original, original.replace("int c", "int new1;\nint c"), ...options);
    expectSameNumbers(
      original,
      original.replace("#ifdef ON\n", "#ifdef ON\nint new1;\n#ifdef NEVER\nint new2;\n#endif\n"),
      ...options,
    );
  });

  test("where the branches of an #if open a parenthesis each", () => {
    const original = "#ifdef ON\nint x = (1 +\n#else\nint x = (2 +\n#endif\n3);\nint y;\nint b = __LINE__;\n";
    expectSameNumbers(original, original.replace("int y;\n", "int y;\nint z;\n"));
  });

  test("where an apostrophe in a comment of assembly style stands alone", () => {
    const original = "#if 0\ndon't (\n#endif\nint a;\nint b = __LINE__;\n";
    expectSameNumbers(original, original.replace("int a;\n", "int a;\nint c;\n"));
  });

  test("a diff that moves nothing adds no directive", () => {
    expect(markLines("int a;\nint b;\n", "int a;\nint c;\n")).toBe("int a;\nint c;\n");
  });
});

test("any lines added and taken away between declarations leave the numbers of all others", () => {
  // Each line differs from all others, so that there is one way to pair them.
  const line = fc.constantFrom(
    "int NAME = __LINE__;",
    "/* NAME ( */",
    "// NAME it's",
    "char NAME = '(';",
    "#define NAME (",
    "#define NAME \\\n  ( NAME",
    "/* NAME\n( NAME\nNAME */",
    'char *NAME = "(/*";',
  );
  const edit = fc.record({ keep: fc.boolean(), add: fc.array(line, { maxLength: 3 }) });
  fc.assert(
    fc.property(fc.array(fc.tuple(line, edit), { minLength: 1, maxLength: 20 }), (rows) => {
      let count = 0;
      const named = (text: string): string => text.replaceAll("NAME", `n${count++}`);
      const old = rows.map(([text]) => named(text));
      const original = `${old.join("\n")}\nint last = __LINE__;\n`;
      const lines = rows.flatMap(([, { keep, add }], i) => [...(keep ? [old[i] ?? ""] : []), ...add.map(named)]);
      expectSameNumbers(original, `${lines.join("\n")}\nint last = __LINE__;\n`);
    }),
    { numRuns: 150 },
  );
});
