/** Data: what of it travels with the code, what stays, and what is refused. */
import { describe, expect, test } from "vitest";
import { compared, only } from "./compiled.fixture.ts";

describe("a static local", () => {
  const source = `
    int count(int a) { static int calls; calls += a; return outside(calls); }
    int total(int a) { static int calls; calls -= a; return other(calls); }
  `;

  test("is the running one, by whose use it is", () => {
    const result = compared(source, source.replace("outside(calls)", "outside(calls) + 1"));
    expect(result).toMatchObject(only({ funcs: ["count"], pieces: ["count"] }));
    expect(new Set(result.targets("count"))).toEqual(new Set(["original calls.1", "external outside"]));
  });

  test("stays the running one when gcc numbers it otherwise, since a new one comes before it", () => {
    const patched = `int early(int a) { static int calls; calls ^= a; return outside(calls) * 5; }\n${source.replace(
      "outside(calls); }\n    int total",
      "outside(calls) + 1; }\n    int total",
    )}`.replace("other(calls)", "other(calls) + 2");
    const result = compared(source, patched);
    expect(result).toMatchObject({ funcs: ["count", "total"], refusals: [] });
    const names = new Map(result.diff.original.atoms.map((atom) => [atom.name, atom]));
    for (const [name, calls] of [
      ["count", "calls.1"],
      ["total", "calls.0"],
    ] as const) {
      const variables = result
        .piece(name)
        .references.flatMap(({ destination }) =>
          destination.kind === "original" && destination.atom.kind === "data" ? [destination.atom] : [],
        );
      expect(new Set(variables)).toEqual(new Set([names.get(calls)]));
    }
  });

  test("that is new comes with its initial value beside the running ones", () => {
    const patched = source.replace("calls += a;", "static int seen = 7; calls += a; seen++; outside(seen);");
    const result = compared(source, patched);
    expect(result).toMatchObject({ funcs: ["count"], refusals: [], notes: ["NEW_DATA"] });
    expect(result.targets("count")).toContain(`piece ${result.pieces.find((name) => name.startsWith("seen"))}`);
    expect(result.targets("count").some((target) => target.startsWith("original calls"))).toBe(true);
  });

  test("that may be one of two is refused: state would be lost", () => {
    const before = "int work(int a) { static int state; state += a; return outside(state); }";
    const after = `
      int work(int a) { return outside(a); }
      int one(int a) { static int state; return outside(state++) * 3 + other(7); }
      int two(int a) { static int state; return other(state--) - outside(9); }
    `;
    const callers = "extern int one(int), two(int); int run(int a) { return ";
    const result = compared(`${before} ${callers} a; }`, `${after} ${callers} one(a) + two(a); }`);
    expect(new Set(result.refusals)).toEqual(new Set(["STATIC_LOCAL_AMBIGUOUS"]));
  });

  test("whose initial value changes is refused as any other variable is", () => {
    const patched = source.replace("static int calls; calls += a", "static int calls = 3; calls += a");
    expect(compared(source, patched).refusals).toEqual(["DATA_CHANGED"]);
  });

  test("is made anew where its old value is of no use: whether a warning was shown, a lock's class", () => {
    const once = `
      #define once(text) ({ static unsigned char __section(".data.once") __already_done; \\
        if (!__already_done) { __already_done = 1; printk(text); } })
      int work(int a) { once("first"); return outside(a) + 1; }
    `;
    const result = compared(once, once.replace('once("first");', 'once("new"); once("first");').replace("+ 1", "+ 2"));
    expect(result).toMatchObject({ funcs: ["work"], refusals: [] });
    expect(result.targets("work").filter((target) => target.startsWith("original"))).toEqual([]);
  });
});

test("a static local is not that of another function, which has one of the same name", () => {
  const source = `
    int one(int a) { static int count; return outside(count += a); }
    int two(int a) { return other(a); }`;
  const moved = `
    int one(int a) { return outside(a); }
    int two(int a) { static int count; return other(count += a); }`;
  expect(compared(source, moved).refusals).toEqual(["STATIC_LOCAL_AMBIGUOUS"]);
  const parted = `
    static noinline int part(int a) { static int count; return count += a; }
    int one(int a) { return outside(part(a)); }
    int two(int a) { return other(a); }`;
  const result = compared(source, parted);
  expect(result).toMatchObject({ refusals: [], notes: [] });
  expect(result.targets("part")[0]).toMatch(/^original count/);
});

describe("a variable in use", () => {
  const source = `
    int limit = 3;
    struct { int (*call)(int); const char *name; } driver = { outside, "driver" };
    static int hidden[4];
    int run(int a) { return limit + hidden[a & 3]++ + (long)driver.name; }
  `;

  test.each([
    ["another initial value", "limit = 3", "limit = 4"],
    ["another function in it", "{ outside,", "{ other,"],
    ["another string in it", '"driver" }', '"Driver" }'],
    ["another size", "hidden[4]", "hidden[8]"],
    ["storage for each processor", "int limit", '__section(".data..percpu") int limit'],
  ])("with %s is refused", (_, from, to) => {
    const result = compared(source, source.replace(from, to));
    expect(result.refusals).toEqual(["DATA_CHANGED"]);
    expect(result.diff.refusals[0]?.hint).toMatch(/callback|shadow/);
  });

  test("that is put into another section stays where it is, and that is said", () => {
    const patched = source.replace("int limit", '__section(".data..ro_after_init") int limit');
    const result = compared(source, patched);
    expect(result).toMatchObject(only({ leftOut: ["PLACE_STAYS"] }));
    expect(result.diff.leftOut[0]).toMatchObject({
      what: "limit is put into .data..ro_after_init, and the running one stays where it is",
      pieces: [{ name: "limit" }],
    });
    const code = source.replace("int run(", '__section(".sched.text") int run(');
    expect(compared(source, code)).toMatchObject(only({ leftOut: ["PLACE_STAYS"] }));
  });

  test("that can be written to only with the diff is refused where that is done", () => {
    const late = '__section(".data..ro_after_init") int limit';
    const locked = source.replace("int limit", late);
    const reading = source.replace("return limit +", "return limit + 1 +");
    expect(compared(locked, reading)).toMatchObject({ funcs: ["run"], leftOut: ["PLACE_STAYS"], refusals: [] });
    const result = compared(locked, source.replace("return limit +", "return limit++ +"));
    expect(result.refusals).toEqual(["DATA_CHANGED"]);
    expect(result.diff.refusals[0]?.what).toContain("run may write to limit, which is to be writable");
  });

  test("that has to lie at another boundary is refused, since the running one does not move", () => {
    const patched = source.replace("int hidden[4]", "int hidden[4] __attribute__((aligned(64)))");
    const result = compared(source, patched);
    expect(result.refusals).toEqual(["DATA_CHANGED"]);
    expect(result.diff.refusals[0]?.what).toMatch(/hidden lies at another boundary .* 16 → 64 bytes/);
    expect(compared(patched, source).refusals).toEqual([]);
  });

  test("of several names keeps each of them", () => {
    const both =
      'int first = 3; extern int second __attribute__((alias("first"))); int get(int a) { return second + a; }';
    const apart = "int first = 3; int second = 3; int get(int a) { return second + a; }";
    const result = compared(both, apart);
    expect(result.refusals).toEqual(["ALREADY_DEFINED"]);
  });

  test("whose initial value changes with its section is refused", () => {
    const patched = source.replace("int limit = 3", '__section(".data..ro_after_init") int limit = 4');
    expect(compared(source, patched).refusals).toEqual(["DATA_CHANGED"]);
  });

  test("ends where it ends, whatever comes behind it in a section of several", () => {
    const late = '__section(".data..ro_after_init")';
    const text = (more: string, change: string) =>
      `static ${late} volatile unsigned char small = 1; ${more} int get(int a) { return a + small ${change}; }`;
    const patched = text(`static ${late} volatile int next = 3;`, "+ next");
    expect(compared(text("", ""), patched)).toMatchObject({ funcs: ["get"], refusals: [], notes: ["NEW_DATA"] });
    expect(compared(text("", ""), patched.replace("= 1", "= 2")).refusals).toEqual(["DATA_CHANGED"]);
  });

  test("that was constant and is written to now is refused: the running one cannot be written to", () => {
    const constant = "static const int __used limit = 3; const int *get(void) { return &limit; }";
    const patched = "static int __used limit = 3; int *get(void) { limit++; return &limit; }";
    expect(compared(constant, patched).refusals).toEqual(["DATA_CHANGED"]);
  });

  test("that becomes constant is no change of it", () => {
    const patched = source
      .replace("int limit = 3", "const int limit = 3")
      .replace("return limit", "return *(volatile int *)&limit");
    const original = source.replace("return limit", "return *(volatile int *)&limit");
    expect(compared(original, patched)).toMatchObject(only({}));
  });
});

describe("a constant", () => {
  const source = `
    static const int steps[] = { 1, 2, 3, 5 };
    int step(int a) { return steps[a & 3]; }
    int far_step(int a) { return steps[a & 3] * 10; }
    int unconcerned(int a) { return outside(a); }
  `;

  test("that is changed travels with the functions that use it, and that is said", () => {
    const result = compared(source, source.replace("3, 5", "3, 8"));
    expect(result).toMatchObject(
      only({ funcs: ["far_step", "step"], pieces: ["far_step", "step", "steps"], notes: ["CONSTANT_TRAVELS"] }),
    );
    expect(result.targets("step")).toEqual(["piece steps"]);
    expect(result.diff.selection.funcs.every(({ why }) => why.includes("steps"))).toBe(true);
  });

  test("that grows travels too", () => {
    const result = compared(source, source.replace("3, 5", "3, 5, 8"));
    expect(result).toMatchObject({ funcs: ["far_step", "step"], refusals: [] });
  });

  test("takes those constants along that refer to it", () => {
    const nested = `
      static const int inner[] = { 1, 2 };
      static const int *const table[] = { inner, 0 };
      int get(int a) { return table[a & 1][0]; }
    `;
    expect(compared(nested, nested.replace("{ 1, 2 }", "{ 1, 3 }"))).toMatchObject({
      funcs: ["get"],
      pieces: ["get", "inner", "table"],
      refusals: [],
    });
  });

  test("that live data points to is refused", () => {
    const live = `${source}\nconst int *current_steps = steps;`;
    expect(compared(live, live.replace("3, 5", "3, 8")).refusals).toEqual(["CONSTANT_IN_LIVE_DATA"]);
  });

  test("that new data points to travels with it", () => {
    const patched = source
      .replace("3, 5", "3, 8")
      .replace("int step(", "static const int *now = steps; int step(")
      .replace("return steps[a & 3];", "return *now++;");
    expect(compared(source, patched)).toMatchObject({ funcs: ["far_step", "step"], refusals: [] });
  });

  test("that other files can see is refused", () => {
    const global = source.replace("static const", "const");
    expect(compared(global, global.replace("3, 5", "3, 8")).refusals).toEqual(["GLOBAL_CONSTANT"]);
  });

  test("that is a table of functions is refused: who has the old one keeps it", () => {
    const operations = `
      static int open_it(int a) { return outside(a); }
      static int close_it(int a) { return other(a); }
      static const struct ops { int (*open)(int), (*close)(int); } ops = { open_it };
      extern void hand_out(const struct ops *);
      void start(void) { hand_out(&ops); }
      int use(int a) { return close_it(a) * 3; }
    `;
    const result = compared(operations, operations.replace("{ open_it }", "{ open_it, close_it }"));
    expect(result.refusals).toEqual(["OPERATIONS_CHANGED"]);
  });

  test("of a table whose functions change is not changed by that", () => {
    const operations = `
      static int open_it(int a) { return outside(a) + 1; }
      static const struct ops { int (*open)(int); } ops = { open_it };
      extern void hand_out(const struct ops *);
      void start(void) { hand_out(&ops); }
    `;
    const result = compared(operations, operations.replace("+ 1", "+ 2"));
    expect(result).toMatchObject(only({ funcs: ["open_it"], pieces: ["open_it"] }));
  });
});

describe("what has no name", () => {
  test("a string is what it holds, wherever gcc puts it", () => {
    const source = 'int a(void) { return printk("one"); } int b(void) { return printk("two"); }';
    const patched = `int early(void) { return printk("zero and more"); }${source.replace('"two"', '"2"')}`;
    const result = compared(source, patched);
    expect(result).toMatchObject(only({ funcs: ["b"], pieces: ["b"] }));
    expect(result.targets("b")).toEqual(["literal 2", "external printk"]);
  });

  test("a string that ends another one is told from it", () => {
    const source = 'int a(void) { return printk("a longer text"); } int b(void) { return printk("text"); }';
    expect(compared(source, source.replace('printk("text")', 'printk("longer text")')).targets("b")).toEqual([
      "literal longer text",
      "external printk",
    ]);
  });

  test("a switch that gcc makes a table of values is what the table holds", () => {
    const source = `
      int code(int a) {
        switch (a) { case 0: return 70; case 1: return 31; case 2: return 95; case 3: return 12; case 4: return 58; }
        return 0;
      }
      int same(int a) {
        switch (a) { case 0: return 7; case 1: return 3; case 2: return 9; case 3: return 1; case 4: return 5; }
        return 0;
      }
    `;
    const result = compared(source, source.replace("return 95", "return 96"));
    expect(result).toMatchObject({ funcs: ["code"], refusals: [] });
    expect(result.targets("code")).toEqual([expect.stringMatching(/^piece CSWTCH/)]);
  });

  test("a switch that jumps through a table brings the table, whose entries lead into the new code", () => {
    const cases = [0, 1, 2, 3, 4, 5, 6].map((i) => `case ${i}: outside(${i * 7}); other(a + ${i}); break;`).join(" ");
    const source = `
      int jumps(int a) { switch (a) { ${cases} } return a + 1; }
      int unconcerned(int a) { switch (a) { ${cases} } return a; }
    `;
    const result = compared(source, source.replace("outside(14)", "outside(15)"), { gcc: ["-fjump-tables"] });
    expect(result).toMatchObject({ funcs: ["jumps"], refusals: [] });
    const table = result.diff.selection.pieces.find(({ atom }) => atom.section.name.startsWith(".rodata"));
    expect(table?.references.length).toBeGreaterThanOrEqual(7);
    expect(table?.references.every(({ destination }) => destination.kind === "piece")).toBe(true);
  });

  test("a constant of 16 bytes in a pool is what it holds", () => {
    const source = `
      typedef long long pair __attribute__((vector_size(16)));
      void fill(pair *p) { *p = (pair){ 0x1122334455667788, 0x99 }; }
      void zero(pair *p) { *p = (pair){ 0x42, 0x43 }; }
    `;
    const result = compared(source, source.replace("0x99", "0x98"), { gcc: ["-msse2"] });
    expect(result).toMatchObject({ funcs: ["fill"], pieces: ["fill"], refusals: [] });
    const [literal] = result
      .piece("fill")
      .references.flatMap(({ destination }) => (destination.kind === "literal" ? [destination.literal] : []));
    expect(literal).toMatchObject({ width: 16, isString: false, alignment: 16 });
  });

  test("a compound literal and __func__ are what they hold", () => {
    const source = `
      int named(int a) { return printk(__func__) + a; }
      extern int sum(const int *);
      int summed(void) { static const int list[] = { 4, 5, 6 }; return sum(list); }
    `;
    expect(compared(source, source.replace("+ a", "- a"))).toMatchObject({ funcs: ["named"], refusals: [] });
    expect(compared(source, source.replace("5, 6", "5, 7"))).toMatchObject({ funcs: ["summed"], refusals: [] });
  });
});

test("a mergeable constant that holds an address is what it holds, entry by entry", () => {
  const source = (second: string) => `
    asm(".section .rodata.cst8,\\"aM\\",@progbits,8\\n.LP1: .quad outside\\n.LP2: .quad ${second}\\n.text");
    int one(int a) { int (*f)(int); asm("movq .LP1, %0" : "=r"(f)); return f(a); }
    int two(int a) { int (*f)(int); asm("movq .LP2, %0" : "=r"(f)); return f(a); }
  `;
  expect(compared(source("other"), source("other")).funcs).toEqual([]);
  expect(compared(source("other"), source("printk"))).toMatchObject({ funcs: ["two"], refusals: [] });
});

describe("a variable of a module that only init and exit code use", () => {
  const source = `
    struct family { int version; int (*check)(int); };
    extern void keep(struct family *);
    static struct family family = { 1, outside };
    int __init start(void) { keep(&family); return 0; }
    int run(int a) { return outside(a); }
  `;

  test("is in use where its address was handed out", () => {
    for (const [from, to] of [
      ["1, outside", "2, outside"],
      ["1, outside", "1, other"],
      ["1, outside", "1, NULL"],
    ] as const) {
      const result = compared(source, source.replace(from, to), { isModule: true });
      expect(result).toMatchObject(only({ refusals: ["DATA_CHANGED"] }));
      expect(result.diff.refusals[0]?.what).toMatch(/in use since start handed it out$/);
    }
  });

  test("is left as it is where that code only reads it", () => {
    const read = `${source.replace("keep(&family)", "outside(family.version)")} void __exit stop(void) { family.version = 0; }`;
    expect(compared(read, read.replace("1, outside", "2, outside"), { isModule: true })).toMatchObject(
      only({ leftOut: ["REGISTERED_AT_LOAD"] }),
    );
  });
});

test("a pointer of tracepoint_string() travels with the function that reads it, and no other one's does", () => {
  const source = `
    extern void trace(const char *);
    #define traced(string) ({ static const char *___tp_str __used __section("__tracepoint_str") = string; trace(___tp_str); })
    void enter(void) { traced("enter"); }
    void leave(void) { traced("leave"); }
    int run(int a) { return outside(a); }
  `;
  expect(compared(source, source.replace('"leave"', '"gone"'))).toMatchObject({ funcs: ["leave"], refusals: [] });
  const added = source.replace("return outside(a)", 'traced("run"); return outside(a)');
  expect(compared(source, added)).toMatchObject({ funcs: ["run"], refusals: [] });
});

test("a reference to another place of the same thing is told by both places", () => {
  const source =
    "extern char text[]; struct row { char *data; }; struct row row = { text + 4 }; int run(int a) { return row.data[a]; }";
  const { diff } = compared(source, source.replace("+ 4", "+ 0x48"));
  expect(diff.refusals.map(({ what }) => what)).toEqual([
    expect.stringMatching(/row is changed \(refers to text\+0x48 instead of text\+0x4 at/),
  ]);
});
