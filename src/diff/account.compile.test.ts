/** Every piece of every section that differs has one fate, or is refused. */
import { describe, expect, test } from "vitest";
import { type CompareOptions, compared } from "./compiled.fixture.ts";

const fates = (original: string, patched: string, options: CompareOptions = {}) =>
  compared(original, patched, options).diff.fates.map(({ name, fate, by }) => [name, fate, by].join(" ").trim());

const PLAIN = `
  static noinline int helper(int a) { return outside(a) + 1; }
  int first(int a) { return helper(a) * 3; }
  int second(int a) { return outside(a) - 1; }
`;

test("what does not differ has none", () => {
  expect(fates(PLAIN, `\n\n${PLAIN}`)).toEqual([]);
});

test("a changed function is replaced, what is new travels with it, and what is gone has no effect", () => {
  const patched = PLAIN.replace("helper(a) * 3", "added(a) * 3").replace("helper", "added");
  expect(fates(PLAIN, patched).sort()).toEqual(["added travels", "first replaced ftrace", "helper without-effect"]);
});

test("a program's function is replaced by a jump", () => {
  expect(fates(PLAIN, PLAIN.replace("- 1", "- 2"), { needsHook: false })).toEqual(["second replaced jump"]);
});

test("what is new and unused has no effect", () => {
  const { diff } = compared(PLAIN, `${PLAIN} int added(int a) { return a; } static __used int alone = 7;`);
  expect(diff.fates.map(({ name, why }) => `${name}: ${why}`).sort()).toEqual([
    "added: nothing that runs refers to it",
    "alone: nothing that runs refers to it",
  ]);
});

describe("what runs when the kernel starts", () => {
  const start = `
    static __init __used int start(void) { return outside(1); }
    static int (*const call)(void) __used __section(".initcall6.init") = start;
  `;

  test("is said where it is new, by its function's name", () => {
    const { leftOut, diff } = compared(PLAIN, PLAIN + start);
    expect(leftOut).toEqual(["INIT_ALREADY_RAN"]);
    expect(diff.leftOut[0]?.what).toMatch(/^start is new/);
    expect(diff.leftOut[0]?.pieces.map(({ name }) => name)).toEqual(["start", "call"]);
  });

  test("is said by its function's name where that is old", () => {
    const before = start.replace(/static int \(.*/, "");
    const { diff } = compared(before, start);
    expect(diff.leftOut.map(({ what }) => what)).toEqual([expect.stringMatching(/^the initcall of start is new/)]);
    expect(diff.leftOut[0]?.pieces.map(({ name }) => name)).toEqual(["call", "start"]);
  });
});

test.each(["", "first, "])("an entry of a table that the kernel goes through again is refused", (before) => {
  const quirks = (names: string) =>
    names === "" ? "" : `int (*const quirks[])(int) __used __section(".pci_fixup_resume") = { ${names} };`;
  const source = (names: string) => PLAIN + quirks(names);
  expect(compared(source(before), source(`${before}second`)).refusals).toEqual(["LOAD_TIME_TABLE_CHANGED"]);
});

describe("a section whose meaning is not known", () => {
  const gathered = '__section("gathered") __used static int entry = 4;';

  test("is refused by its name where what travels lies in it", () => {
    const { refusals, diff } = compared(PLAIN, gathered + PLAIN.replace("- 1", "- entry++"));
    expect(refusals).toEqual(["SECTION_NOT_KNOWN"]);
    expect(diff.refusals[0]?.what).toMatch(/lies in gathered/);
  });

  test("is none of a change's business that does not touch it", () => {
    expect(compared(gathered + PLAIN, gathered + PLAIN.replace("- 1", "- 2")).refusals).toEqual([]);
  });

  test.each(["aw", "a"])("is refused where it speaks of a place inside changed code (%s)", (flags) => {
    const marked = (value: number) => `
      int first(int a) {
        asm volatile("771: .pushsection vendor_sites, \\"${flags}\\"; .quad 771b; .popsection");
        return outside(a) + ${value};
      }`;
    const { refusals, diff } = compared(marked(1), marked(2));
    expect([...new Set(refusals)]).not.toEqual([]);
    if (flags === "a") expect(diff.refusals[0]?.what).toMatch(/vendor_sites.* says something of first/);
  });

  test("is refused where its new entry speaks of new data, as the list of a module's locks does", () => {
    const patched = `
      static int lock = 3;
      static int *const pointer __used __section("vendor_locks") = &lock;
      ${PLAIN.replace("- 1", "- lock++")}
    `;
    const { diff } = compared(PLAIN, patched);
    expect(diff.refusals.map(({ code }) => code)).toContain("SECTION_NOT_KNOWN");
    expect(diff.refusals.map(({ what }) => what).join()).toMatch(/vendor_locks/);
  });

  test("of the kernel's locks that a module makes travels with the lock", () => {
    const patched = `
      static struct { long a[4]; } lock = { { 3 } };
      static void *const pointer __used __section("___srcu_struct_ptrs") = &lock;
      ${PLAIN.replace("- 1", "- lock.a[a]++")}
    `;
    const { refusals, piece } = compared(PLAIN, patched, { isModule: true });
    expect(refusals).toEqual([]);
    expect(piece("lock").entries.map(({ entry }) => entry.table.name)).toEqual(["___srcu_struct_ptrs"]);
  });

  test("of thread-local variables is refused in a kernel", () => {
    const patched = `static __thread int count; ${PLAIN.replace("- 1", "- count++")}`;
    expect(compared(PLAIN, patched, { gcc: ["-ftls-model=local-exec"] }).refusals).toEqual(["THREAD_LOCAL_NEW"]);
  });

  test("in a program is one that is walked by its name", () => {
    const program = { needsHook: false, gcc: [] };
    const { refusals } = compared(PLAIN, gathered + PLAIN.replace("- 1", "- entry++"), program);
    expect(refusals).toEqual(["SECTION_NOT_KNOWN"]);
  });
});

describe("a table of functions", () => {
  const table = (value: string) => `
    struct operations { int (*show)(int); int (*next)(int); };
    static __used int show(int a) { return outside(a); }
    static int next(int a) { return other(a); }
    ${value.includes("shown") ? "static int shown(int a) { return outside(a) + 8; }" : ""}
    static const struct operations table = { ${value} };
    extern void hand_out(const struct operations *);
  `;
  const byInit = "static __init __used void start(void) { hand_out(&table); }";

  test("that init code handed out is refused, with the name of who did", () => {
    const { diff } = compared(table("show, next") + byInit, table("shown, next") + byInit);
    expect(diff.refusals.map(({ code, what }) => `${code}: ${what}`)).toEqual([
      expect.stringMatching(/^OPERATIONS_CHANGED: the table of functions table is changed; start may hand it out/),
    ]);
  });

  test("that is handed out through another constant is refused", () => {
    const through = `
      static const struct operations *const all[] = { &table };
      void give(int n) { hand_out(all[n]); }
    `;
    expect(compared(table("show, next") + through, table("shown, next") + through).refusals).toContain(
      "OPERATIONS_CHANGED",
    );
  });

  test("that code only calls through travels with that code", () => {
    const called = "int call(int n) { return (&table.show)[n & 1](n); }";
    expect(compared(table("show, next") + called, table("shown, next") + called)).toMatchObject({
      funcs: ["call"],
      refusals: [],
    });
  });

  test("is overwritten where the kernel calls through it where it lies", () => {
    const options = { canSwitch: true, readInPlace: () => ({ newFunctions: true }) };
    expect(fates(table("show, next") + byInit, table("shown, next") + byInit, options).sort()).toEqual([
      "shown travels",
      "table overwritten switch",
    ]);
  });

  test("of the running kernel's functions is overwritten, but where one comes or goes", () => {
    const options = { canSwitch: true, readInPlace: () => ({ functions: true, contents: false }) };
    expect(fates(table("show, next") + byInit, table("next, show") + byInit, options)).toEqual([
      "table overwritten switch",
    ]);
    const gone = table("show, next").replace("static int next", "static __used int next");
    expect(compared(gone + byInit, gone.replace("show, next }", "show, 0 }") + byInit, options).refusals).toEqual([
      "OPERATIONS_CHANGED",
    ]);
  });

  test("is not where a function comes or goes", () => {
    const options = { canSwitch: true, readInPlace: () => ({ newFunctions: true }) };
    expect(compared(table("show, 0") + byInit, table("show, shown") + byInit, options).refusals).toEqual([
      "OPERATIONS_CHANGED",
    ]);
  });
});

describe("a constant that only init code uses", () => {
  const source = (use: string) => `
    static const int numbers[4] = { 1, 2, 3, 4 };
    extern int give(const int *);
    static __init __used int start(int n) { return ${use}; }
  `;
  const grown = (text: string) => text.replace("[4]", "[5]").replace("4 }", "4, 5 }");

  test("has been read, which is said", () => {
    const read = source("numbers[n]");
    expect(compared(read, grown(read))).toMatchObject({ leftOut: ["INIT_ALREADY_RAN"], refusals: [] });
  });

  test("is refused where it may have been handed out", () => {
    const handed = source("give(numbers)");
    expect(compared(handed, grown(handed)).refusals).toEqual(["CONSTANT_IN_USE"]);
  });
});

test("a name that would become another function's is refused", () => {
  const source = (name: string) => `
    ${PLAIN}
    int one(int a) { return outside(a) * 7; }
    int two(int a) { return other(a) * 9; }
    int known(int a) __attribute__((alias("${name}")));
  `;
  expect(compared(source("one"), source("two")).refusals).toEqual(["FUNCTION_NAME_MOVED"]);
});

describe("functions that a short jump holds together", () => {
  const joined = `
    __section(".sched.text") noinline static int inner(int a) { return outside(a); }
    __section(".sched.text") int other_one(int a) { return inner(a + 1); }
    __section(".sched.text") int third(int a) { asm volatile(".skip 200, 0x90"); return outside(a) * 5; }
  `;

  test("are refused where one of them changes", () => {
    expect(compared(joined, joined.replace("a + 1", "a + 2")).refusals).toEqual(["FUNCTIONS_JOINED"]);
  });

  test("stay where they are where another one changes", () => {
    expect(compared(joined, joined.replace("* 5", "* 6"))).toMatchObject({ funcs: ["third"], refusals: [] });
  });
});

describe("a static local by the name of one that a macro makes", () => {
  test.each(["descriptor", "symbols", "__flags", "C", "_rs", "__key", "___done", "__msg", "_entry"])(
    "%s keeps its state where it is a variable",
    (name) => {
      const source = `
        int first(int a) { static int ${name} = 1; return outside(a) + ${name}++; }
        int second(int a) { static int ${name} = 2; return other(a) + ${name}++; }
      `;
      const { targets, pieces, refusals } = compared(source, source.replace("other(a) +", "other(a) -"));
      expect(refusals).toEqual([]);
      expect(pieces).toEqual(["second"]);
      expect(targets("second")).toContainEqual(expect.stringMatching(new RegExp(`^original ${name}\\.`)));
    },
  );

  test("says that something was done, and not only shown, where no message does", () => {
    const source = `int first(int a) {
      static __section(".data.once") char ___done;
      if (!___done) { ___done = 1; outside(7); }
      return outside(a);
    }`;
    const { pieces, targets } = compared(source, source.replace("outside(a)", "outside(a + 1)"));
    expect(pieces).toEqual(["first"]);
    expect(targets("first")).toContainEqual(expect.stringMatching(/^original ___done/));
  });

  test("is the kernel's where it lies in the section for what was shown once", () => {
    const source = `int first(int a) {
      static __section(".data.once") char __already_done;
      if (!__already_done) { __already_done = 1; printk("once"); }
      return outside(a);
    }`;
    expect(compared(source, source.replace("outside(a)", "outside(a + 1)")).pieces).toEqual([
      expect.stringMatching(/^__already_done/),
      "first",
    ]);
  });
});

test("a table that comes first in one of the objects is no difference", () => {
  const trap = String.raw`asm volatile("1: ud2\n.pushsection __bug_table,\"aw\"\n.long 1b - .\n.long 0\n.word 7, 0\n.popsection")`;
  const lock = String.raw`asm volatile("1: nop\n.pushsection .smp_locks,\"a\"\n.long 1b - .\n.popsection")`;
  const later = `int later(int a) { ${lock}; ${trap}; return outside(a); }`;
  const first = (body: string) => `int first(int a) { ${body} return other(a); }`;
  expect(compared(first("") + later, first(`${trap};`) + later)).toMatchObject({ funcs: ["first"], refusals: [] });
});
