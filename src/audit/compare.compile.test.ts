import { describe, expect, test } from "vitest";
import { fromC } from "../elf/compiled.fixture.ts";
import { readElf } from "../elf/read.ts";
import { compareObjects } from "./compare.ts";
import { lineNumbersOf } from "./line-numbers.ts";

const FLAGS = ["-O2", "-fno-pic", "-fno-asynchronous-unwind-tables"];

/** `KIND OF NAME`, sorted. */
function differences(original: string, patched: string, ...flags: string[]): string[] {
  const [a, b] = [original, patched].map((text) => readElf(fromC(text, ...FLAGS, ...flags), "input.c"));
  const lines = lineNumbersOf([{ original, patched }]);
  if (a === undefined || b === undefined) throw new Error("two objects");
  return compareObjects(a, b, {}, lines)
    .differences.map(({ kind, of, name }) => `${kind} ${of} ${name}`)
    .sort();
}

const CALLEES = "void g(int); void h(const char *); extern int x; extern int far_away;\n";

describe("what differs", () => {
  test.each([
    ["a constant", "int f(int a) { return a + 1; }", "int f(int a) { return a + 2; }", ["changed function f"]],
    ["a condition", "int f(int a) { return a > 1; }", "int f(int a) { return a >= 1; }", ["changed function f"]],
    ["a callee", "void f(void) { g(x); }", "void f(void) { far_away = 1; g(x); }", ["changed function f"]],
    ["a string", 'void f(void) { h("one"); }', 'void f(void) { h("two"); }', ["changed function f"]],
    ["the end of a string", 'void f(void) { h("one"); }', 'void f(void) { h("one two"); }', ["changed function f"]],
    ["an initial value", "int v = 1;", "int v = 2;", ["changed variable v"]],
    ["an initial value that was zero", "int v;", "int v = 2;", ["changed variable v"]],
    ["what becomes constant", "int v = 1;", "const int v = 1;", ["changed variable v"]],
    ["a size", "int v[2];", "int v[3];", ["changed variable v"]],
    [
      "an entry of a table",
      "int a(void){return 1;} int b(void){return 2;} int (*const t[])(void) = { a, a };",
      "int a(void){return 1;} int b(void){return 2;} int (*const t[])(void) = { a, b };",
      ["changed variable t"],
    ],
    [
      "a static variable of a function, of those that have one name",
      "int f(void) { static int n; return n++; } int g2(void) { static int n; return n++; }",
      "int f(void) { static int n = 7; return n++; } int g2(void) { static int n; return n++; }",
      ["changed variable n.1"],
    ],
    [
      "a module's exit function, under its name in the source",
      'int x; void quit(void) { x = 1; } void cleanup_module(void) __attribute__((alias("quit")));',
      'int x; void quit(void) { x = 2; } void cleanup_module(void) __attribute__((alias("quit")));',
      ["changed function quit"],
    ],
    ["a new function", "", "int f(void) { return 1; }", ["added function f"]],
    ["one that goes", "int f(void) { return 1; }", "", ["removed function f"]],
    [
      "another section",
      "int f(void) { return 1; }",
      '__attribute__((section(".other.text"))) int f(void) { return 1; }',
      ["changed function f"],
    ],
    [
      "a section without symbols",
      "",
      'asm(".section ___srcu_struct_ptrs, \\"aw\\"\\n.quad x\\n.previous");',
      ["added section ___srcu_struct_ptrs"],
    ],
    [
      "an entry of a table about code",
      'void f(void) { asm volatile("1: nop"); }',
      'void f(void) { asm volatile("1: nop\\n.section __bug_table, \\"aw\\"\\n.long 1b - .\\n.long 0\\n.long 0\\n.previous"); }',
      ["changed function f"],
    ],
  ])("%s", (_, original, patched, expected) => {
    expect(
      differences(CALLEES + original, CALLEES + patched).filter((each) => !/^(added|removed) .* (a|b)$/.test(each)),
    ).toEqual(expected);
  });
});

test("a static variable in place of another file's of the same name is another one", () => {
  const text = (kind: string) => `${kind} volatile int level; int f(void) { return level; }`;
  expect(differences(text("extern"), text("static"))).toContain("changed function f");
});

describe("what does not", () => {
  test("the same code, further on", () => {
    const rest =
      "int f(int a) { g(a); return a; } static int __attribute__((noinline)) s(int a) { g(a); return a * 3; } int k(int a) { return s(a) + f(a); }";
    const found = differences(CALLEES + rest, `${CALLEES}int more(int a) { g(a); g(a + 1); return a; } ${rest}`);
    expect(found).toEqual(["added function more"]);
  });

  test("numbers that the compiler gives to what is local to functions", () => {
    const rest = "int f(void) { static int n; return n++; }";
    const more = "int e(void) { static int n; return n--; }";
    expect(differences(rest, `${more}\n${rest}`)).toEqual(["added function e", "added variable n.1"].sort());
  });

  test("line numbers, where they shift with the diff", () => {
    const body = "\nvoid f(void) { g(__LINE__); }\n";
    expect(differences(CALLEES + body, `${CALLEES}/* one\nmore */${body}`)).toEqual([]);
    expect(differences(CALLEES + body, `${CALLEES}/* one\nmore */${body.replace("__LINE__", "__LINE__ + 1")}`)).toEqual(
      ["changed function f"],
    );
  });

  test("the line number of a function that is moved, and no other one", () => {
    const moved = "void f(void)\n{\n\tg(__LINE__);\n}\n";
    const stays = "void k(int a)\n{\n\tg(a);\n\tg(a + 1);\n}\nvoid l(int a)\n{\n\th(0);\n\tg(a);\n}\n";
    expect(differences(`${CALLEES}${moved}${stays}`, `${CALLEES}${stays}${moved}`)).toEqual([]);
    const other = moved.replace("__LINE__", "__LINE__ + 20");
    expect(differences(`${CALLEES}${moved}${stays}`, `${CALLEES}${stays}${other}`)).toEqual(["changed function f"]);
  });

  test("an array that is counted from 1, behind something that comes or goes", () => {
    const array = "int list[4] = { 1, 2, 3, 4 }; int f(long a) { return list[a - 1]; }";
    const behind = (before: string) => `${before} ${array}`;
    expect(differences(behind(""), behind("int before = 9;"))).toEqual(["added variable before"]);
  });

  test("the end of an array up to which a loop goes, wherever it lies and whatever begins there", () => {
    const loop = (kind: string, more: string) => `
      ${kind} long list[8] = { 1 }; ${more}
      long f(void) { long n = 0; for (volatile long *p = list; p < list + 8; p++) n += *p; return n; }
    `;
    const inOrder = "-fno-toplevel-reorder";
    const [one, two] = ["long one = 9;", "long two = 8;"];
    for (const kind of ["", "static"])
      expect(differences(loop(kind, ""), loop(kind, one), inOrder)).toEqual(["added variable one"]);
    expect(differences(loop("", one + two), loop("", two + one), inOrder)).toEqual([]);
    expect(differences(loop("static", ""), loop("static", "").replace("+ 8", "+ 7"), inOrder)).toEqual([
      "changed function f",
    ]);
  });

  test("line numbers in names", () => {
    const names = "#define N_(a, b) a##b\n#define N(a, b) N_(a, b)\n";
    const body = "\nint N(v, __LINE__); int *f(void) { return &N(v, __LINE__); } int N(v, __LINE__) =\n1;\n";
    expect(differences(names + body, `${names}/* one\nmore */${body}`)).toEqual([]);
    const [gone, come, other] = [
      `${names}${body}`,
      `${names}/* one\nmore */${body.replace("\n1;", "\n2;")}`,
      "int v9 = 1;",
    ];
    expect(differences(gone, come)).toEqual(["changed variable v4"]);
    expect(differences("int v8 = 1;", other)).toEqual(["added variable v9", "removed variable v8"]);
  });

  test("a line number that is pushed, by one byte before and by four after", () => {
    const many = "void many(int, int, int, int, int, int, int);\n";
    const body = "\nvoid f(void) { many(1, 2, 3, 4, 5, 6, __LINE__); }\n";
    const above = "\n".repeat(124);
    expect(differences(`${many}${above}${body}`, `${many}/* one\nmore */${above}${body}`)).toEqual([]);
  });

  test("a line number in a string", () => {
    const text = (of: string) => `#define S(x) T(x)\n#define T(x) #x\nvoid f(void) { h("at " ${of}); }\n`;
    const [line, next] = ["S(__LINE__)", '"9"'];
    expect(differences(CALLEES + text(line), `${CALLEES}/* one\nmore */\n${text(line)}`)).toEqual([]);
    expect(differences(CALLEES + text(line), CALLEES + text(next))).toEqual(["changed function f"]);
  });

  test("the order of strings and constants", () => {
    const [a, b] = ['void f(void) { h("one"); }', 'void k(void) { h("two and more"); }'];
    expect(differences(`${CALLEES}${a}\n${b}`, `${CALLEES}${b}\n${a}`)).toEqual([]);
  });
});

test("variables of one name that change places are seen in the functions that use them", () => {
  const original = "int f(int a) { static int n; return n += a; } int k(int a) { static int n; return n -= a; }";
  const swapped = `static int first; ${original.replace("static int n; return n +=", "return first +=")}`;
  expect(differences(original, swapped)).toContain("changed function f");
});

test("a constant that is an address is compared whole, wherever a reference to it counts from", () => {
  const source = (name: string) => `${CALLEES}
    asm(".section .rodata.cst8,\\"aM\\",@progbits,8\\n.LP: .quad ${name}\\n.text");
    void *f(void) { void *p; asm("movq .LP, %0" : "=r"(p)); return p; }
  `;
  expect(differences(source("g"), source("g"))).toEqual([]);
  expect(differences(source("g"), source("h"))).toEqual(["changed function f"]);
});

test("a list of BTF ids is told by what it lists, whatever the compiler counts", () => {
  const id = (name: string, number: number) => {
    const symbol = `__BTF_ID__func__${name}__${number}`;
    return `asm(".pushsection .BTF_ids,\\"a\\"\\n.local ${symbol}\\n${symbol}: .zero 4\\n.popsection");`;
  };
  const list = (...ids: string[]) =>
    `asm(".pushsection .BTF_ids,\\"a\\"\\n.local list\\nlist:\\n.popsection"); ${ids.join("\n")}`;
  expect(differences(list(id("one", 17), id("two", 28)), list(id("one", 37), id("two", 48)))).toEqual([]);
  expect(differences(list(id("one", 17), id("two", 28)), list(id("one", 17), id("other", 28)))).toEqual([
    "changed variable list",
  ]);
});
