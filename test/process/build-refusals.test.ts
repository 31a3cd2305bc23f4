/** What is told of a program's diff at the build, where the program need not run. */
import { expect, test } from "vitest";
import { CaseProgram } from "./case-program.ts";

const MAIN = "extern int step(int); int main(void) { return step(1); }";

interface Shape {
  readonly original: string;
  readonly patched: string;
  readonly compiler?: string;
  readonly link?: string;
}

function built({ original, patched, compiler = "gcc -O2", link = "gcc" }: Shape) {
  using program = new CaseProgram({ "unit.c": [original, patched], "main.c": MAIN });
  program.compile(compiler, "unit.c", "main.c").shell(`${link} unit.o main.o -o program`);
  const { status, codes, result } = program.build("program");
  return { status, codes, said: JSON.stringify(result) };
}

test("a name that new code looks up, and that is new itself, is not found in what was linked", () => {
  const original = `#include <dlfcn.h>
    int plug(int a) { return a + 1; }
    int step(int a) { int (*f)(int) = (int (*)(int))dlsym(0, "plug"); return f ? f(a) : -1; }`;
  const patched = original
    .replace("int step", "int plug_more(int a) { return a + 2; }\nint step")
    .replace('"plug"', '"plug_more"');
  const exporting = built({ original, patched, link: "gcc -rdynamic" });
  expect(exporting.codes).toEqual(["SYMBOL_NOT_FOUND"]);
  expect(exporting.said).toContain("plug_more is newly exported, and new code has its name looked up");
  const called = original
    .replace("int step", "int plug_more(int a) { return plug(a) + 2; }\nint step")
    .replace("f(a) : -1", "f(a) : plug_more(a)");
  const told = built({ original, patched: called, link: "gcc -rdynamic" });
  expect(told).toMatchObject({ status: 0, said: expect.stringContaining("plug_more would be newly exported") });
  expect(built({ original, patched: called }).said).not.toContain("NEW_EXPORT");
});

/** Enough functions that a stripped program shows which files it is of. */
const MORE = [1, 2, 3, 4, 5, 6]
  .map((n) => `int more${n}(int i) { for (int j = 0; j < i + ${n}; j++) pad += j * ${n + 2} ^ i; return pad + ${n}; }`)
  .join("\n");
const STEP = `#include <stdlib.h>\nvolatile int pad; int step(int i) { pad = i; return i + pad; }\n${MORE}`;

interface Beside extends Shape {
  readonly beside: string;
}

function builtBeside({ original, patched, beside, compiler = "gcc -O2", link = "gcc" }: Beside) {
  using program = new CaseProgram({ "unit.c": [original, patched], "beside.c": beside, "main.c": MAIN });
  program.compile(compiler, "unit.c", "beside.c", "main.c").shell(`${link} unit.o beside.o main.o -o program`);
  const { codes, result } = program.build("program");
  return { codes, said: JSON.stringify(result) };
}

const HOOK = STEP.replace("return i + pad", "return hook(i) + pad");

test.each([
  [
    "a weak function",
    "int __attribute__((weak, noinline)) hook(int n) { return n + 7; }",
    "int hook(int n) { return n + 9; }",
  ],
  [
    "a weak function that calls itself",
    "int __attribute__((weak, noinline)) hook(int n) { return n <= 0 ? pad : hook(n - 1) + pad; }",
    "int hook(int n) { return n + 9; }",
  ],
])("%s is not new where another file has one of its name, stripped or not", (_, definition, beside) => {
  const patched = HOOK.replace("int step", `${definition}\nint step`);
  expect(builtBeside({ original: STEP, patched, beside }).codes).toEqual(["ALREADY_DEFINED"]);
  expect(builtBeside({ original: STEP, patched, beside, link: "gcc -s" }).codes).toEqual(["ALREADY_DEFINED"]);
  const other = beside.replace("hook", "other");
  expect(builtBeside({ original: STEP, patched, beside: other, link: "gcc -s" }).codes).toEqual([]);
});

test("a variable is not new where another file has a common one of its name, stripped or not", () => {
  const patched = STEP.replace("int step", "int shared = 0;\nint step").replace("return i", "return shared++ + i");
  const shape = { original: STEP, patched, compiler: "gcc -O2 -fcommon", beside: "int shared; int *there = &shared;" };
  expect(builtBeside(shape).codes).toEqual(["ALREADY_DEFINED"]);
  expect(builtBeside({ ...shape, link: "gcc -s" }).codes).toEqual(["ALREADY_DEFINED"]);
});

test("a source that another file takes in and compiles otherwise is not there twice for its names", () => {
  const original = STEP.replaceAll(/pad (\+?)= /g, "pad $1= PADS * ").replace(
    "volatile",
    "#ifndef PADS\n#define PADS 1\n#endif\nvolatile",
  );
  using program = new CaseProgram({
    "unit.c": [original, original.replace("PADS * i", "PADS * i + 3")],
    "debug.c": '#define PADS 3\n#include "unit.c"\n',
    "main.c": MAIN,
  });
  program.compile("gcc -O2", "unit.c", "debug.c", "main.c").shell("gcc unit.o main.o -o program");
  const { status, codes, result } = program.build("program");
  expect({ status, codes }).toEqual({ status: 0, codes: [] });
  expect(JSON.stringify(result)).toContain("debug.c is not part of what ships");
});

const TABLE = "const int table[] = { 3, 5, 7, 11 };";

test.each<[string, string, string, readonly string[]]>([
  ["that code leads to", "program", "table[i & 3] + pad", ["GLOBAL_CONSTANT"]],
  ["that code leads to, stripped", "-s", "table[i & 3] + pad", ["GLOBAL_CONSTANT"]],
  ["that nothing which changes leads to", "program", "i + pad", ["GLOBAL_CONSTANT"]],
  ["that nothing which changes leads to, stripped", "-s", "i + pad", ["NOT_IN_PROGRAM"]],
  ["of another program", "without", "i + pad", []],
])("a file of data alone counts as it is: %s", (_what, how, value, codes) => {
  const original = STEP.replace("i + pad", value).replace("volatile", "extern const int table[4]; volatile");
  using program = new CaseProgram({
    "unit.c": [original, original.replace("pad = i", "pad = i + 3")],
    "table.c": [TABLE, TABLE.replace("11", "13")],
    "main.c": MAIN,
  });
  program.compile("gcc -O2", "unit.c", "table.c", "main.c");
  program.shell(`gcc ${how === "-s" ? how : ""} unit.o main.o ${how === "without" ? "" : "table.o"} -o program`);
  const built = program.build("program");
  expect(built.codes).toEqual(codes);
  expect(JSON.stringify(built.result).includes("table.c is not part of what ships")).toBe(
    how === "without" || codes[0] === "NOT_IN_PROGRAM",
  );
});

test("a static local of an inline function is that of all files, stripped or not", () => {
  const inline = "inline int &counter() { static int n; return n; }";
  const original = `int touch(int); extern "C" int step(int);\n${STEP.replace("i + pad", "touch(i) + pad")}`;
  const patched = original
    .replace("int touch", `${inline}\nint touch`)
    .replace("return touch", "return counter() + touch");
  const beside = `${inline} int touch(int n) { return counter() += n; }`;
  for (const flags of ["", "-s"]) {
    using program = new CaseProgram({ "unit.cc": [original, patched], "beside.cc": beside, "main.c": MAIN });
    program.compile("g++ -O2", "unit.cc", "beside.cc").compile("gcc -O2", "main.c");
    expect(program.shell(`g++ ${flags} *.o -o program`).build("program").codes).toEqual(["ALREADY_DEFINED"]);
  }
});

test("a name that the linker was told to wrap is not bound by its looks", () => {
  const patched = HOOK.replace("int step", "int hook(int);\nint step");
  const beside = `int hook(int n) { return n + 1; } int __real_hook(int);
    int __wrap_hook(int n) { for (int j = 0; j < n; j++) n += __real_hook(n ^ j); return n + 100; }`;
  for (const link of ["gcc -Wl,--wrap=hook", "gcc -s -Wl,--wrap=hook"])
    expect(builtBeside({ original: STEP, patched, beside, link })).toMatchObject({
      codes: ["SYMBOL_NOT_PROVED"],
      said: expect.stringContaining("__wrap_hook"),
    });
});

const NEXT = `#define _GNU_SOURCE
  #include <dlfcn.h>
  int step(int i) { int (*f)(const char *) = (int (*)(const char *))dlsym(WHERE, "atoi"); return f ? f("7") + i : -1; }`;

test.each(["gcc -O2", "gcc -Os", "gcc -O0", "clang -O2", "clang -Os"])(
  "RTLD_NEXT in new code begins nowhere, by %s",
  (compiler) => {
    const next = NEXT.replace("WHERE", "RTLD_NEXT");
    const patched = (text: string) => text.replace("+ i", "+ i + 100");
    expect(built({ original: next, patched: patched(next), compiler }).codes).toEqual(["CALLER_LOOKED_AT"]);
    const first = NEXT.replace("WHERE", "RTLD_DEFAULT");
    expect(built({ original: first, patched: patched(first), compiler }).codes).toEqual([]);
  },
);

test("a library's own directories are not those of new code", () => {
  const original = `#include <dlfcn.h>
    int step(int i) { void *it = dlopen("libplug.so", RTLD_NOW); return it ? i : -1; }`;
  const patched = original.replace("? i", "? i + 100");
  for (const [flags, codes] of [
    ["-Wl,-rpath,/opt/plug", ["CALLER_LOOKED_AT"]],
    ["", []],
  ] as const) {
    using program = new CaseProgram({ "unit.c": [original, patched] });
    program.compile("gcc -O2 -fPIC", "unit.c").shell(`gcc -shared ${flags} unit.o -o libunit.so`);
    expect(program.build("libunit.so").codes).toEqual(codes);
  }
});

test("a function that is to run when the program ends is no longer taken into the table of these", () => {
  const patched = STEP.replace("i + pad", "i + pad + 100");
  const end = "\n__attribute__((destructor)) static void end(void) { pad++; }";
  for (const text of [
    { original: STEP, patched: patched + end },
    { original: STEP + end, patched },
  ])
    expect(built(text)).toMatchObject({
      codes: ["LOAD_TIME_TABLE_CHANGED"],
      said: expect.stringContaining("run when the program ends"),
    });
});

test("an entry is not taken out of a table that code goes through from its start to its end", () => {
  const entry = (n: number) => `static struct entry e${n} __attribute__((section("entries"), used)) = { ${n} };\n`;
  const walk = `struct entry { int v; }; extern struct entry __start_entries[], __stop_entries[];\n${entry(1)}${entry(2)}
    int step(int i) { for (struct entry *e = __start_entries; e < __stop_entries; e++) i += e->v; return i; }`;
  const patched = walk.replace(entry(2), "").replace("return i", "return i + 100");
  expect(built({ original: walk, patched }).codes).toEqual(["SECTION_NOT_KNOWN"]);
});

test("what becomes a bool may hold what no bool does", () => {
  const original = `#include <stdbool.h>
    static unsigned char level; int step(int i) { int was = level; level = i; return was + 1; }`;
  const patched = original.replace("unsigned char", "bool").replace("was + 1", "was + 2");
  expect(built({ original, patched }).codes).toEqual(["DATA_LAYOUT_CHANGED"]);
  const back = { original: original.replace("unsigned char", "bool"), patched: original.replace("was + 1", "was + 2") };
  expect(built(back).codes).toEqual([]);
});

test.each([
  ["gcc -O2", "struct moved { long a, b; };", "} __attribute__((aligned(16)));"],
  ["clang -O2", "struct moved { long a, b; };", "} __attribute__((aligned(16)));"],
  ["g++ -O2 -x c++", "struct moved { long a, b; };", "} __attribute__((aligned(16)));"],
  [
    "gcc -O2",
    "typedef struct { long a, b; } holder; struct moved { holder h; };",
    "} __attribute__((aligned(16))) holder;",
  ],
  ["gcc -O2", "struct moved { long pad[2]; long a, b; };", "long pad[2]; _Alignas(16) long a, b; };"],
])("a type that is asked to be aligned is refused, by %s: %s", (compiler, type, aligned) => {
  const rest = "char *pool; int step(int i) { *((struct moved *)pool) = *((struct moved *)(pool + 32)); return i; }";
  const changed = type.replace(/\} holder;|long pad\[2\]; long a, b; \};|\};$/, aligned);
  const { codes, said } = built({ original: `${type} ${rest}`, patched: `${changed} ${rest}`, compiler });
  expect([...new Set(codes)]).toEqual(["DATA_LAYOUT_CHANGED"]);
  expect(said).toContain("aligned to 16 bytes instead of its natural boundary");
});

const HELD = `struct a { int n, m; }; struct b { int m, n; }; struct a some = { 3, 4 }; static struct a *current;
  int step(int i) { if (!current) current = &some; return current->n + i; }`;

test.each(["gcc -O2", "clang -O2"])("a variable that points to something else is refused, by %s", (compiler) => {
  const patched = HELD.replace("static struct a *current", "struct b other; static struct b *current")
    .replace("current = &some", "current = (struct b *)&some")
    .replace("+ i", "+ i + 100");
  const { codes, said } = built({ original: HELD, patched, compiler });
  expect(codes).toEqual(["DATA_LAYOUT_CHANGED"]);
  expect(said).toContain("the variable current is declared as");
});

const LAYOUT = `struct some { int a; int b; }; struct some *made(void); int step(int i) { return made()->b + i; }
  __attribute__((noinline)) struct some *made(void) { static struct some it = { 3, 4 }; return &it; }`;

test.each([
  ["g++ -O2", "gcc"],
  ["gcc -O2 -x c++", "gcc"],
  ["gcc -O2 -g -gtoggle", "gcc"],
  ["gcc -O2 -g -gstrict-dwarf", "gcc"],
])("a struct of a .c file that is compiled by %s is compared", (compiler, link) => {
  const patched = LAYOUT.replace("int a;", "int a, between;").replace("+ i", "+ i + 100");
  using program = new CaseProgram({ "unit.c": [LAYOUT, patched], "main.c": MAIN });
  program.compile(compiler, "unit.c", "main.c").shell(`${link} unit.o main.o -o program`);
  expect(program.build("program").codes).toContain("DATA_LAYOUT_CHANGED");
});

test.each(["g++ -O2", "clang++ -O2"])("in C++ too, static or in a namespace, by %s", (compiler) => {
  const original = `${HELD.replace("int step", "namespace inner { a *first = &some; }\n  int step").replace(
    "current->n + i",
    "current->n + inner::first->n + i",
  )}\nint main() { return step(1); }`;
  const patched = original
    .replace("static struct a *current", "struct b other; static struct b *current")
    .replace("current = &some", "current = (struct b *)&some")
    .replace("a *first = &some", "b *first = (b *)&some");
  using program = new CaseProgram({ "unit.cc": [original, patched] });
  program.compile(compiler, "unit.cc").shell("g++ unit.o -o program");
  const { codes, result } = program.build("program");
  expect(codes).toEqual(["DATA_LAYOUT_CHANGED", "DATA_LAYOUT_CHANGED"]);
  const said = (result.refusals ?? []).map(({ what }) => what);
  for (const name of ["current", "first"])
    expect(said).toContainEqual(expect.stringMatching(`${name}.* is declared as`));
});

test.each(["clang -O2", "clang -O0 -g", "clang -O2 -ffunction-sections"])("a program of %s is patched", (compiler) => {
  const { status, codes } = built({ original: HELD, patched: HELD.replace("+ i", "+ i + 100"), compiler });
  expect([status, codes]).toEqual([0, []]);
});

test("new handlers for exceptions are the reason, and not what points to the personality routine", () => {
  const original = "int may(int); int step(int i) { return may(i) + may(i + 1); }\nint main() { return step(1); }";
  const patched = original.replace("return may(i)", "try { may(i); } catch (int) { return 1; } return may(i)");
  using program = new CaseProgram({
    "unit.cc": [original, patched],
    "other.cc":
      "int may(int i) { if (i < 0) throw 1; return i; }\nint used(int i) { try { return may(i); } catch (int) { return 0; } }",
  });
  program.compile("g++ -O2", "unit.cc", "other.cc").shell("g++ unit.o other.o -o program");
  expect([...new Set(program.build("program").codes)]).toEqual(["EXCEPTIONS"]);
});

test("a type that is packed no more keeps its layout, and its objects lie anywhere", () => {
  const original = `struct pair { __int128 x, y; } __attribute__((packed));
    static char room[256]; static struct pair *last = (struct pair *)(room + 8);
    int step(int a) { struct pair *next = (struct pair *)(room + 72); *next = *last; last = next; return (int)next->x + a; }`;
  const refused = built({ original, patched: original.replace(" __attribute__((packed))", "") });
  expect(refused.codes).toEqual(["DATA_LAYOUT_CHANGED"]);
  expect(refused.said).toContain("pair: packed, or of an order of bytes");
});
