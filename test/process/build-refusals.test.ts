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
  expect(exporting.said).toContain("plug_more is new, and new code has its name looked up");
  const called = original
    .replace("int step", "int plug_more(int a) { return plug(a) + 2; }\nint step")
    .replace("f(a) : -1", "f(a) : plug_more(a)");
  const told = built({ original, patched: called, link: "gcc -rdynamic" });
  expect(told).toMatchObject({ status: 0, said: expect.stringContaining("plug_more would be newly exported") });
  expect(built({ original, patched: called }).said).not.toContain("NEW_EXPORT");
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
