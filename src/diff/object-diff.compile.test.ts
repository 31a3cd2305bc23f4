/** Functions: which of them get a new version, and what comes along. */
import { describe, expect, test } from "vitest";
import { compared, only } from "./compiled.fixture.ts";

const TWO = `
int first(int a) { return outside(a) + 1; }
int second(int a) { return outside(a) * 3; }
`;

test("an unchanged unit yields nothing", () => {
  expect(compared(TWO, TWO)).toMatchObject(only({}));
});

test("a changed body is one func, and nothing else travels", () => {
  expect(compared(TWO, TWO.replace("+ 1", "+ 2"))).toMatchObject(only({ funcs: ["first"], pieces: ["first"] }));
});

test("functions in another order, and lines that move, are no change", () => {
  const [, first, second] = TWO.split("\n");
  expect(compared(TWO, `\n\n${second}\n${first}\n`)).toMatchObject(only({}));
});

test("a function that calls another instead is changed, though its bytes are the same", () => {
  const patched = TWO.replace("outside(a) + 1", "other(a) + 1");
  const result = compared(TWO, patched);
  expect(result).toMatchObject(only({ funcs: ["first"], pieces: ["first"] }));
  expect(result.targets("first")).toEqual(["external other"]);
  expect(result.diff.selection.funcs[0]?.why).toMatch(/^refers to other instead of outside/);
});

test("a callee that is inlined changes its callers, and is itself no func", () => {
  const source = `
    static inline int helper(int a) { return outside(a) ^ 5; }
    int caller(int a) { return helper(a); }
    int another(int a) { return helper(a) + 1; }
    int unconcerned(int a) { return outside(a); }
  `;
  expect(compared(source, source.replace("^ 5", "^ 6"))).toMatchObject(
    only({ funcs: ["another", "caller"], pieces: ["another", "caller"] }),
  );
});

test("who calls a function that any file can see now, and that is the same, is the same", () => {
  const source = `
    static noinline __attribute__((noipa)) int helper(int a) { return outside(a) ^ 5; }
    int caller(int a) { return helper(a) + 1; }
  `;
  expect(compared(source, source.replace("static", ""))).toMatchObject(only({}));
  expect(compared(source.replace("static", ""), source)).toMatchObject(only({}));
});

test("a new function comes along with what calls it", () => {
  const patched = TWO.replace("int first", "static noinline int added(int a) { return other(a); }\nint first").replace(
    "outside(a) + 1",
    "added(a) + 1",
  );
  const result = compared(TWO, patched);
  expect(result).toMatchObject(only({ funcs: ["first"], newFunctions: ["added"], pieces: ["added", "first"] }));
  expect(result.targets("first")).toEqual(["piece added"]);
});

test("a new function that nothing calls does not travel", () => {
  expect(compared(TWO, `${TWO}int added(int a) { return outside(a) - 9; }`)).toMatchObject(only({}));
});

test("a removed function is no change of those that are left", () => {
  expect(compared(TWO, TWO.replace(/int second.*\n/, ""))).toMatchObject(only({}));
});

test("an unchanged function that a changed one calls is the running one", () => {
  const source = `
    static noinline int helper(int a) { return outside(a) ^ 5; }
    int caller(int a) { return helper(a) + 1; }
  `;
  const result = compared(source, source.replace("+ 1", "+ 2"));
  expect(result.pieces).toEqual(["caller"]);
  expect(result.targets("caller")).toEqual(["original helper"]);
});

test("variables of the running object stay there, static ones as well", () => {
  const source = `
    static int hidden = 3;
    int shown;
    int get(int a) { return hidden + shown + a; }
    void set(int a) { hidden = a; shown = a; }
  `;
  const result = compared(source, source.replace("shown + a", "shown - a"));
  expect(result).toMatchObject(only({ funcs: ["get"], pieces: ["get"] }));
  expect(result.targets("get").toSorted()).toEqual(["original hidden", "original shown"]);
});

test("a new variable starts with its initial value, and that is said", () => {
  const source = "int get(int a) { return a; }";
  const patched = "static int counter = 41; int get(int a) { return a + ++counter; }";
  const result = compared(source, patched);
  expect(result).toMatchObject(only({ funcs: ["get"], pieces: ["counter", "get"], notes: ["NEW_DATA"] }));
  expect(result.piece("counter").atom.data.readInt32LE()).toBe(41);
});

describe("the address of a patched function", () => {
  const source = `
    extern void keep(int (*)(int));
    static noinline int work(int a) { return outside(a) + 1; }
    void hand_out(void) { keep(work); }
    int call(int a) { return work(a) + 7; }
  `;
  const patched = source.replace("+ 1", "+ 2").replace("keep(work)", "keep(work); other(1)").replace("+ 7", "+ 8");

  test("is the old one's where it is taken: it leads to the new one for as long as that is there", () => {
    const result = compared(source, patched);
    expect(result.funcs).toEqual(["call", "hand_out", "work"]);
    expect(result.targets("hand_out")).toContain("original work");
  });

  test("is the new one's where it is called", () => {
    expect(compared(source, patched).targets("call")).toEqual(["piece work"]);
  });

  test("in a table is no change of the table", () => {
    const table = `${source}\nint (*const table[])(int) = { work };`;
    expect(compared(table, table.replace("+ 1", "+ 2"))).toMatchObject(only({ funcs: ["work"], pieces: ["work"] }));
  });
});

describe("parts and clones that gcc makes of functions", () => {
  const cold = `
    extern void __attribute__((cold, noreturn)) die(const char *);
    int check(int a) { if (a < 0) die("below"); if (a > 99) { printk("above"); die("above"); } return outside(a); }
  `;

  test("a .cold part travels with its function, and is no func of its own", () => {
    const result = compared(cold, cold.replace("> 99", "> 98"), { gcc: ["-freorder-blocks-and-partition"] });
    expect(result).toMatchObject({ funcs: ["check"], refusals: [] });
    expect(result.pieces).toEqual(["check", "check.cold"]);
    expect(result.targets("check")).toContain("piece check.cold");
  });

  test("a change in the .cold part alone is one of its function", () => {
    const result = compared(cold, cold.replace('die("below")', 'die("beyond")'));
    expect(result).toMatchObject({ funcs: ["check"], pieces: ["check", "check.cold"], refusals: [] });
    expect(result.targets("check.cold")).toContain("literal beyond");
    const inProgram = compared(cold, cold.replace('die("below")', 'die("beyond")'), { needsHook: false });
    expect(inProgram).toMatchObject({ funcs: ["check"], pieces: ["check", "check.cold"], refusals: [] });
  });

  test("a .constprop clone that comes is new, and its caller changes", () => {
    const source = `
      static noinline int work(int a, int b) { return outside(a) * b + other(b); }
      int one(int a) { return work(a, 3); }
      int two(int a) { return work(a, 3) + 1; }
    `;
    const patched = source.replace("work(a, 3) + 1", "work(a, a) + 1");
    const result = compared(source, patched);
    expect(result.refusals).toEqual([]);
    expect(result.funcs).toContain("two");
  });

  test("a .isra clone is patched under the name that the running object has", () => {
    const source = `
      struct pair { int a, b; };
      static noinline int work(struct pair *p, int unused) { return outside(p->a) + 1; }
      int one(struct pair *p) { return work(p, 1) + work(p, 2); }
    `;
    const result = compared(source, source.replace("outside(p->a) + 1", "outside(p->a) + 2"));
    expect(result.refusals).toEqual([]);
    expect(result.funcs).toEqual([expect.stringMatching(/^work\.(isra|constprop)\.0/)]);
  });

  test("clones that only get other numbers are no change", () => {
    const source = (first: string, second: string) => `
      static noinline int ${first}(int a, int b) { return outside(a) * b; }
      int use_${first}(int a) { return ${first}(a, 3); }
      static noinline int ${second}(int a, int b) { return other(a) - b; }
      int use_${second}(int a) { return ${second}(a, 5); }
    `;
    expect(
      compared(
        source("alpha", "beta"),
        source("beta", "alpha")
          .replace("outside", "X")
          .replace("other", "outside")
          .replace("X", "other")
          .replace("* b", "Y")
          .replace("- b", "* b")
          .replace("Y", "- b")
          .replace("(a, 3)", "Z")
          .replace("(a, 5)", "(a, 3)")
          .replace("Z", "(a, 5)"),
      ),
    ).toMatchObject(only({}));
  });
});

describe("a function without an entry hook", () => {
  const source = `
    static notrace noinline int inner(int a) { return outside(a) + 1; }
    int caller(int a) { return inner(a) * 2; }
    int unconcerned(int a) { return outside(a); }
  `;
  const patched = source.replace("+ 1", "+ 2");

  test("is carried into its callers, and that is said", () => {
    const result = compared(source, patched);
    expect(result).toMatchObject(
      only({ funcs: ["caller"], pieces: ["caller", "inner"], notes: ["CARRIED_INTO_CALLERS"] }),
    );
    expect(result.targets("caller")).toEqual(["piece inner"]);
    expect(result.diff.selection.funcs[0]?.why).toMatch(/inner/);
  });

  test("is carried on through callers that have none either", () => {
    const chain = `${source.replace("int caller", "static notrace noinline int caller")}int top(int a) { return caller(a) + 9; }`;
    expect(compared(chain, chain.replace("+ 1", "+ 2"))).toMatchObject({
      funcs: ["top"],
      pieces: ["caller", "inner", "top"],
      refusals: [],
    });
  });

  test("is refused where other files can call it", () => {
    const global = source.replace("static notrace", "notrace");
    expect(compared(global, global.replace("+ 1", "+ 2")).refusals).toEqual(["NO_HOOK"]);
  });

  test("is refused where a variable or a table points to it", () => {
    for (const table of ["int (*table[])(int) = { inner };", "int (*const table[])(int) = { inner };"])
      expect(compared(source + table, patched + table).refusals).toEqual(["NO_HOOK"]);
  });

  test("is refused where code gives its address away: who has it keeps the old one", () => {
    const more = "extern void keep(int (*)(int)); void hand_out(void) { keep(inner); }";
    expect(compared(source + more, patched + more).refusals).toEqual(["NO_HOOK"]);
  });

  test("is patched like any other where only the new version has none", () => {
    const hooked = "int plain(int a) { return outside(a) + 1; }";
    const without = "notrace int plain(int a) { return outside(a) + 2; }";
    expect(compared(hooked, without)).toMatchObject(only({ funcs: ["plain"], pieces: ["plain"] }));
    expect(compared(without, hooked)).toMatchObject({ funcs: [], refusals: ["NO_HOOK"] });
  });

  test("needs no hook where the target has other means", () => {
    expect(compared(source, patched, { needsHook: false })).toMatchObject({ funcs: ["inner"], refusals: [] });
  });
});

describe("code that runs once", () => {
  const source = `
    static int __initdata limit = 3;
    int __init start(int a) { return outside(a) + limit++; }
    void __exit stop(void) { outside(1); }
    int run(int a) { return outside(a); }
  `;

  test("a changed __init function is left out, and said to be", () => {
    expect(compared(source, source.replace("+ limit", "- limit"))).toMatchObject(
      only({ leftOut: ["INIT_ALREADY_RAN"] }),
    );
  });

  test("a changed __initdata variable is left out", () => {
    expect(compared(source, source.replace("= 3", "= 4"))).toMatchObject(only({ leftOut: ["INIT_ALREADY_RAN"] }));
  });

  test("a parameter of the module stays as it was registered", () => {
    const source = `
      extern int set_any(const char *), set_small(const char *);
      struct parameter { const char *name; int (*set)(const char *); };
      static const struct parameter __param_size __attribute__((used, section("__param"))) = { "size", set_any };
    `;
    expect(compared(source, source.replace('"size", set_any', '"size", set_small'))).toMatchObject(
      only({ leftOut: ["PARAMETER_STAYS"] }),
    );
  });

  test("calls at boot are told apart by what they call, as they have no names", () => {
    const call = (name: string) =>
      `asm(".section .initcall4.init, \\"a\\"; __initcall_${name}: .long ${name} - .; .previous");`;
    const boot = `${source}int __init other(int a) { return outside(a); }\n${call("start")}\n${call("other")}`;
    expect(compared(boot, boot)).toMatchObject(only({}));
    const without = compared(boot, boot.replace(`${call("start")}\n`, ""));
    expect(without).toMatchObject(only({ leftOut: ["INIT_ALREADY_RAN"] }));
    expect(without.diff.leftOut[0]?.what).toMatch(/^the initcall of start is gone/);
    const later = compared(boot, boot.replace(call("start"), call("start").replace("initcall4", "initcall7")));
    expect(later.diff.leftOut.map(({ what }) => what)).toEqual([
      "the initcall of start comes at another time, and has run when its object was started",
    ]);
  });

  test("the exit code of something built in never runs", () => {
    expect(compared(source, source.replace("outside(1)", "outside(2)"))).toMatchObject(
      only({ leftOut: ["EXIT_NEVER_RUNS"] }),
    );
  });

  test("a module's exit function is the one that the kernel will call", () => {
    const module = `${source}\nvoid cleanup_module(void) __attribute__((alias("stop")));`;
    const result = compared(module, module.replace("outside(1)", "outside(2)"), { isModule: true });
    expect(result).toMatchObject(only({ pieces: ["stop"], notes: ["MODULE_EXIT"] }));
    expect(result.diff.selection.moduleExit?.patched.name).toBe("stop");
  });

  test("what loses its __init is new: the running one's was freed", () => {
    const patched = source
      .replace("__initdata ", "")
      .replace("__init ", "noinline ")
      .replace("int run(int a) { return outside(a)", "int run(int a) { return start(a)");
    const result = compared(source, patched);
    expect(result).toMatchObject({ funcs: ["run"], refusals: [] });
    expect(result.targets("run")).toEqual(["piece start"]);
    expect(result.pieces).toEqual(["limit", "run", "start"]);
  });

  test("what loses its __exit is new where that is freed: in what is built in", () => {
    const exits = `
      static noinline int __exit stop(int a) { return outside(a) + 7; }
      void *table __section(".exitcall.exit") = stop;
      int run(int a) { return outside(a); }`;
    const lasting = exits
      .replace("__exit ", "notrace ")
      .replace("int run(int a) { return outside(a)", "int run(int a) { return stop(a)");
    const result = compared(exits, lasting);
    expect(result).toMatchObject({ funcs: ["run"], newFunctions: ["stop"], refusals: [] });
    expect(result.targets("run")).toEqual(["piece stop"]);
    expect(compared(exits, lasting, { isModule: true }).targets("run")).toEqual(["original stop"]);
    const freed = exits.replace("int run(int a) { return outside(a)", "int run(int a) { return stop(a)");
    expect(compared(exits, freed).refusals).toEqual(["NEEDS_INIT"]);
    expect(compared(exits, freed, { isModule: true }).refusals).toEqual([]);
  });

  test("new code that needs __init code or data is refused", () => {
    const patched = source
      .replace("int run(int a) { return outside(a)", "int run(int a) { return added(a)")
      .replace("int run", "static int __init noinline added(int a) { return other(a); }\nint run");
    expect(compared(source, patched).refusals).toEqual(["NEEDS_INIT"]);
  });

  test("code that starts to use the running kernel's freed __init code is refused", () => {
    const patched = source.replace("int run(int a) { return outside(a)", "int run(int a) { return start(a)");
    expect(compared(source, patched).refusals).toEqual(["NEEDS_INIT"]);
  });
});

test("a weak function is patched under its name: whether it is the one that runs, the match says", () => {
  const source = "__attribute__((weak)) int hook(int a) { return outside(a) + 1; }";
  expect(compared(source, source.replace("+ 1", "+ 2"))).toMatchObject(only({ funcs: ["hook"], pieces: ["hook"] }));
});

test("a function that becomes static or global is the same one", () => {
  const source = "static noinline __used int work(int a) { return outside(a) + 1; }";
  expect(compared(source, source.replace("static ", "").replace("+ 1", "+ 2"))).toMatchObject({
    funcs: ["work"],
    refusals: [],
  });
});

test("a function that takes the place of a variable of its name is new", () => {
  const source = "int thing; int get(int a) { return a + thing; }";
  const patched = "noinline int thing(int a) { return other(a); } int get(int a) { return a + thing(a); }";
  const result = compared(source, patched);
  expect(result).toMatchObject({ funcs: ["get"], newFunctions: ["thing"], refusals: [] });
});
