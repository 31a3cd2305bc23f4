/** The object diff of objects for a machine with another byte order, other instructions and other hooks: nothing here is the machine's but the compiler. */
import { expect, test } from "vitest";
import { compiledForS390x } from "../arch/s390x/compiled.fixture.ts";
import { SutureError } from "../lib/error.ts";
import { type Compared, comparedElf, compiledElf } from "./compiled.fixture.ts";
import { objectDiff } from "./object-diff.ts";
import type { DiffOptions } from "./options.ts";

const PRELUDE = `
#define noinline __attribute__((noinline))
#define notrace __attribute__((no_instrument_function))
#define __section(name) __attribute__((section(name)))
extern int printk(const char *, ...);
extern int outside(int);
#line 1
`;

function compared(original: string, patched: string, options: Partial<DiffOptions> = {}): Compared {
  return comparedElf(compiledForS390x(PRELUDE + original), compiledForS390x(PRELUDE + patched), options);
}

const UNIT = `
  static int counter = 5;
  static const char *const names[] = { "one", "two", "three" };
  noinline static int helper(int n) { counter += n; return counter; }
  int work(int n) { printk("%s\\n", names[n]); return helper(n) + outside(n); }
  int table(int n) { switch (n) { case 0: return helper(1); case 1: return 17; case 2: return outside(2); case 3: return 99;
    case 4: return outside(4); case 5: return 3; case 6: return 44; } return -1; }
`;

test("objects of the same source have no difference", () => {
  const { funcs, pieces, refusals, leftOut } = compared(UNIT, UNIT);
  expect({ funcs, pieces, refusals, leftOut }).toEqual({ funcs: [], pieces: [], refusals: [], leftOut: [] });
});

test("a changed function travels, and refers to the running one's data and callees", () => {
  const of = compared(UNIT, UNIT.replace("counter += n", "counter += 2 * n"));
  expect(of).toMatchObject({ funcs: ["helper"], refusals: [], pieces: ["helper"] });
  expect(of.targets("helper")).toEqual(["original counter", "original counter"]);
});

test("a function with a table of jumps travels with it", () => {
  const of = compared(UNIT, UNIT.replace("return 17;", "return 18;"));
  expect(of).toMatchObject({ funcs: ["table"], refusals: [] });
  const jumps = of.diff.selection.pieces.find(({ atom }) => atom.section.name === ".rodata.table");
  expect(jumps?.references.map(({ destination }) => "atom" in destination && destination.atom.name)).toEqual(
    new Array(7).fill("table"),
  );
});

test("a string and a callee that are others are told", () => {
  const of = compared(UNIT, UNIT.replace('"%s\\n"', '"%s!\\n"').replace("+ outside(n)", '+ printk("x")'));
  expect(of.funcs).toEqual(["work"]);
  expect(of.targets("work")).toEqual(
    expect.arrayContaining(["literal %s!\n", "literal x", "external printk", "original names", "original helper"]),
  );
});

test("new functions and data come along", () => {
  const patched = UNIT.replace(
    "int work",
    "static int fresh = 3; noinline static int twice(int n) { return n * fresh++; }\nint work",
  );
  const of = compared(UNIT, patched.replace("helper(n) + outside", "helper(twice(n)) + outside"));
  expect(of).toMatchObject({ funcs: ["work"], newFunctions: ["twice"], refusals: [] });
  expect(of.pieces).toEqual(["fresh", "twice", "work"]);
});

test("a changed variable is refused", () => {
  expect(compared(UNIT, UNIT.replace("counter = 5", "counter = 6")).refusals).toEqual(["DATA_CHANGED"]);
});

test("a function without the six bytes at its entry cannot be redirected", () => {
  const bare = UNIT.replace("int work", "notrace int work");
  const patched = bare.replace("+ outside(n)", "- outside(n)");
  expect(compared(bare, patched).refusals).toEqual(["NO_HOOK"]);
  expect(compared(bare, patched, { canSwitch: true }).refusals).toEqual(["NO_HOOK"]);
});

test("what a table says of a place in the code travels with the code", () => {
  const source = (value: number) => `
    int f(int a) {
      asm volatile("0: nopr %%r7\\n1:\\n"
        ".pushsection __bug_table,\\"aw\\"\\n2: .long 0b-., 0\\n.short 7,0\\n.org 2b+12\\n.popsection\\n"
        ".pushsection __ex_table,\\"a\\"\\n.balign 4\\n.long 0b-., 1b-.\\n.short 1,0\\n.popsection\\n"
        ".pushsection .altinstr_replacement,\\"ax\\"\\n3: nopr %%r6\\n.popsection\\n"
        ".pushsection .altinstructions,\\"a\\"\\n.long 0b-., 3b-.\\n.short 40\\n.byte 2\\n.popsection\\n"
        ".pushsection .printk_index,\\"a\\"\\n.quad 0b\\n.popsection" ::: "memory");
      return outside(a) + ${value};
    }
    int g(int a) { asm volatile("0: nopr %%r7\\n.pushsection __ex_table,\\"a\\"\\n.balign 4\\n.long 0b-., 0b-.\\n.short 1,0\\n.popsection" ::: "memory"); return outside(a); }
  `;
  const of = compared(source(1), source(2));
  expect(of).toMatchObject({ funcs: ["f"], refusals: [] });
  const tables = of.piece("f").entries.map(({ entry }) => `${entry.table.name} ${entry.data.length}`);
  expect(tables.sort()).toEqual([".altinstructions 11", "__bug_table 12", "__ex_table 12", "__mcount_loc 8"]);
});

test("an entry that says another thing is a change of its function", () => {
  const source = (type: number) =>
    `int f(int a) { asm volatile("0: nopr %%r7\\n.pushsection __ex_table,\\"a\\"\\n.balign 4\\n.long 0b-., 0b-.\\n.short ${type},0\\n.popsection" ::: "memory"); return outside(a); }`;
  expect(compared(source(1), source(2)).funcs).toEqual(["f"]);
});

test("functions of one section are taken apart at their starts, and what the assembler resolved is a reference again", () => {
  const source = (value: number) => `
    noinline __section(".init.text") static int first(int a) { return outside(a) + 1; }
    __section(".sched.text") noinline static int inner(int a) { return outside(a) * 3; }
    __section(".sched.text") int entry(int a) { return inner(a) + (int)(long)&inner + ${value}; }
    __section(".sched.text") int last(int a) { return inner(a) - 1; }
  `;
  const of = compared(source(1), source(2));
  expect(of).toMatchObject({ funcs: ["entry"], pieces: ["entry"], refusals: [] });
  expect(of.targets("entry")).toEqual(expect.arrayContaining(["original inner"]));
});

test("a line number that only a warning is told is no change", () => {
  const source = (line: number) => `
    extern void __might_sleep(const char *, int);
    int f(int a) { __might_sleep("unit.c", ${line}); return outside(a); }
  `;
  expect(compared(source(10), source(20)).funcs).toEqual([]);
  expect(compared(source(10), source(20).replace("outside(a)", "outside(a + 1)")).funcs).toEqual(["f"]);
});

test("objects for two machines are not compared", () => {
  const source = "int f(int a) { return a; }";
  expect(() =>
    objectDiff(compiledElf(source), compiledForS390x(source), {}, { isModule: false, needsHook: false }),
  ).toThrow(expect.objectContaining({ code: "MACHINES_DIFFER" }));
});

test("an object for a machine that nothing is known of is refused by its name", () => {
  const file = compiledElf("int f(int a) { return a; }");
  const other = { ...file, header: { ...file.header, machine: 183 } };
  expect(() => objectDiff(other, other, {}, { isModule: false, needsHook: false })).toThrow(SutureError);
  expect(() => objectDiff(other, other, {}, { isModule: false, needsHook: false })).toThrow(
    expect.objectContaining({ code: "MACHINE_NOT_KNOWN", hint: "give a file for one of: x86_64, s390x" }),
  );
});
