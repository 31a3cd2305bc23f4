/** Functions that ftrace cannot take hold of, where the target can switch all of a livepatch at one moment. */
import { describe, expect, test } from "vitest";
import { compared, only } from "./compiled.fixture.ts";
import { needsSwitch } from "./selection.ts";
import { switchPlace } from "./switch-place.ts";

const GLOBAL = "notrace int exposed(int a) { return outside(a) * 3 + 1; }";

function switched(original: string, patched: string, gcc: readonly string[] = []) {
  const result = compared(original, patched, {
    canSwitch: true,
    readInPlace: () => ({ functions: true, contents: true }),
    gcc,
  });
  const names = result.diff.selection.funcs.filter(({ by }) => by === "switch").map(({ name }) => name);
  return { ...result, names: names.sort() };
}

test("a function without a hook that other files can call is switched", () => {
  const result = switched(GLOBAL, GLOBAL.replace("+ 1", "+ 2"));
  expect(result).toMatchObject(only({ funcs: ["exposed"], pieces: ["exposed"] }));
  expect(result.names).toEqual(["exposed"]);
  expect(needsSwitch(result.diff.selection)).toBe(true);
});

test("one that a table points to is switched, and the table stays", () => {
  const source = `static ${GLOBAL} int (*const table[])(int) = { exposed };`;
  const result = switched(source, source.replace("+ 1", "+ 2"));
  expect(result).toMatchObject(only({ funcs: ["exposed"], pieces: ["exposed"] }));
  expect(result.names).toEqual(["exposed"]);
});

describe("one of this file alone whose address start code has given away", () => {
  const source = `struct ops { int (*call)(int); }; extern struct ops live;
    static notrace noinline int inner(int a) { return outside(a) * 3 + 1; }
    int __section(".init.text") start(void) { live.call = inner; return 0; }`;

  test.each([
    ["is switched, where nothing else calls it", ""],
    ["is switched, and its caller stays", "int caller(int a) { return inner(a) + 5; }"],
  ])("%s", (_, more) => {
    const result = switched(source + more, (source + more).replace("+ 1", "+ 2"));
    expect(result).toMatchObject({ ...only({ funcs: ["inner"], pieces: ["inner"] }), names: ["inner"] });
  });

  test("is refused where it has no room for a jump", () => {
    const short = (text: string) => `void (*live)(void);
      static notrace noinline void inner(void) { asm volatile("${text}"); }
      int __section(".init.text") start(void) { live = inner; return 0; } void caller(void) { inner(); }`;
    expect(switched(short("nop"), short("cld")).refusals).toEqual(["NO_HOOK"]);
  });
});

describe("a function of this file alone", () => {
  const inner = "static notrace noinline int inner(int a) { return outside(a) * 3 + 1; }";

  test("is carried into its callers where they have hooks, and nothing is switched", () => {
    const source = `${inner} int caller(int a) { return inner(a) + 5; }`;
    const result = switched(source, source.replace("+ 1", "+ 2"));
    expect(result).toMatchObject({ funcs: ["caller"], pieces: ["caller", "inner"], names: [] });
    expect(needsSwitch(result.diff.selection)).toBe(false);
  });

  test("is switched itself where a caller has none: the callers stay as they are", () => {
    const source = `${inner} notrace int caller(int a) { return inner(a) + 5; } int other_caller(int a) { return inner(a) + 7; }`;
    const result = switched(source, source.replace("+ 1", "+ 2"));
    expect(result).toMatchObject({ ...only({ funcs: ["inner"], pieces: ["inner"] }), names: ["inner"] });
  });

  test("is carried where it is too short itself, and its caller is switched", () => {
    const body = (text: string) =>
      `static notrace noinline void inner(void) { asm volatile("${text}"); } ${GLOBAL.replace("outside(a)", "(inner(), outside(a))")}`;
    const result = switched(body("nop"), body("cld"));
    expect(result).toMatchObject({ funcs: ["exposed"], pieces: ["exposed", "inner"], names: ["exposed"] });
  });
});

test("a function with a hook beside one without is selected by its hook: the linker decides for all", () => {
  const source = `${GLOBAL} int hooked(int a) { return outside(a) + 7; }`;
  const result = switched(source, source.replace("+ 1", "+ 2").replace("+ 7", "+ 8"));
  expect(result).toMatchObject({ funcs: ["exposed", "hooked"], names: ["exposed"] });
});

test("the code that no task may be in is the old one, with its unlikely parts", () => {
  const source = `
    extern void __attribute__((cold, noreturn)) die(const char *);
    notrace int check(int a) { if (a < 0) die("below"); if (a > 99) { printk("above"); die("above"); } return outside(a) + 1; }
  `;
  const { diff } = switched(source, source.replace("+ 1", "+ 2"));
  expect(diff.selection.oldCode.map(({ name }) => name).sort()).toEqual(["check", "check.cold"]);
});

test("code that only runs before alternatives are applied is none that a task may be in", () => {
  const source = `notrace int check(int a) {
    asm volatile("jmp 6f\\n7:\\n.pushsection .altinstr_aux,\\"ax\\"\\n6: nop\\njmp 7b\\n.popsection");
    return outside(a) + 1;
  }`;
  const { diff } = switched(source, source.replace("+ 1", "+ 2"));
  expect(diff.selection.oldCode.map(({ name }) => name)).toEqual(["check"]);
  expect(diff.selection.pieces.map(({ atom }) => atom.section.name)).toContain(".altinstr_aux");
});

describe("is refused, and says why,", () => {
  const whyNot = (original: string, patched: string): string => {
    const result = switched(original, patched);
    expect(result.refusals).toEqual(["NO_HOOK"]);
    return result.diff.refusals[0]?.what ?? "";
  };

  test("where the function is too short for a jump", () => {
    const source = 'notrace void tiny(void) { asm volatile("nop"); }';
    expect(whyNot(source, source.replace("nop", "cld"))).toMatch(/^tiny is changed, .* is too short for a jump/);
  });

  test("where the kernel rewrites what the jump would cover", () => {
    const site = '.pushsection .smp_locks,\\"a\\"\\n.long 1b - .\\n.popsection';
    const source = `notrace int count(int *a) { asm volatile("1: lock incl %0\\n${site}" : "+m"(*a)); return outside(*a) + 1; }`;
    expect(whyNot(source, source.replace("+ 1", "+ 2"))).toMatch(/has a lock prefix at its entry/);
  });

  test("where the code is one that the switch may stand in", () => {
    const source = `__section(".noinstr.text") ${GLOBAL}`;
    expect(whyNot(source, source.replace("+ 1", "+ 2"))).toMatch(/lies in \.noinstr\.text/);
  });

  test("where it is a static call's trampoline", () => {
    const source = `__section(".static_call.text") ${GLOBAL}`;
    expect(whyNot(source, source.replace("+ 1", "+ 2"))).toMatch(/lies in \.static_call\.text/);
  });
});

describe("the jump lies", () => {
  const offset = (source: string, gcc: readonly string[]): number => {
    const { diff } = compared(source, source, { gcc });
    const place = switchPlace(diff.original.definitions.get("exposed") as Parameters<typeof switchPlace>[0]);
    return place.kind === "place" ? place.offset : -1;
  };
  const branch = ["-fcf-protection=branch"];
  const hooked = GLOBAL.replace("notrace ", "");
  const calling =
    'notrace void exposed(void) { asm volatile("1: call outside\\n.pushsection .call_sites,\\"a\\"\\n.long 1b - .\\n.popsection"); }';

  test.each([
    ["at the entry", GLOBAL, [], 0],
    ["behind the landing pad", GLOBAL, branch, 4],
    ["behind the hook", hooked, [], 5],
    ["behind both", hooked, branch, 9],
    ["over a call that is in the kernel's list of calls", calling, [], 0],
  ] as const)("%s", (_, source, gcc, expected) => {
    expect(offset(source, gcc)).toBe(expected);
  });
});

describe("a constant in use", () => {
  const source = `
    struct policy { int type; int length; };
    static const struct policy policies[] = { { 1, 4 }, { 2, 8 } };
    struct family { const struct policy *policy; int count; int (*call)(int); const char *name; };
    const struct family families[] = { { 0, 2, outside, "family" } };
    struct family live = { policies, 7, outside, "live" };
    const int shared[] = { 1, 2, 3 };
    static int hidden;
    int run(int a) { return families[a].count + live.count + shared[a] + hidden++; }
  `;
  const written = (from: string, to: string) => {
    const result = switched(source, source.replace(from, to));
    const words = result.diff.selection.words.map(({ atom, offset, size }) => `${atom.name}+${offset} ${size}`);
    return { refusals: result.refusals, pieces: result.pieces, words };
  };

  test.each([
    ["of a constant that a variable points to", "{ 2, 8 }", "{ 2, 16 }", ["policies+8 8"]],
    ["of a constant that other files can see", "2, 3 }", "2, 4 }", ["shared+8 4"]],
    ["of a table that other files can see", "2, outside", "3, outside", ["families+8 8"]],
    ["that is another function of the kernel", "2, outside", "2, other", ["families+16 8"]],
  ])("%s is overwritten, and nothing travels for it", (_, from, to, words) => {
    expect(written(from, to)).toEqual({ refusals: [], pieces: [], words });
  });

  test.each([
    ["of a variable", "7, outside", "8, outside", "DATA_CHANGED"],
    ["of a variable that was all zeros", "int hidden;", "int hidden = 5;", "DATA_CHANGED"],
    ["with a string, which would be the livepatch's", '"family" }', '"Family" }', "GLOBAL_CONSTANT"],
    ["of another size", "{ 2, 8 } }", "{ 2, 8 }, { 3, 9 } }", "CONSTANT_IN_LIVE_DATA"],
    ["of another size that others can see", "2, 3 }", "2, 3, 4 }", "GLOBAL_CONSTANT"],
    ["for each processor", "static int hidden", '__section(".data..percpu") int hidden', "DATA_CHANGED"],
  ])("%s is refused as ever", (_, from, to, code) => {
    expect(written(from, to)).toMatchObject({ refusals: [code], words: [] });
  });

  test("of a static call's key is refused: its call sites know the old one", () => {
    const key = "int (*__SCK__call)(int) = outside;";
    expect(switched(key, key.replace("outside", "other"))).toMatchObject({ refusals: ["DATA_CHANGED"] });
  });

  test("with a new function in it is refused: the pointer would outlive the livepatch", () => {
    const more = "static int added(int a) { return other(a) * 3; } const struct family families";
    const patched = source.replace("const struct family families", more).replace("2, outside", "2, added");
    const result = switched(source, patched);
    expect(result).toMatchObject({
      refusals: expect.arrayContaining(["OPERATIONS_CHANGED"]),
      diff: { selection: { words: [] } },
    });
  });

  test("of a constant that only functions use travels with them, and nothing is switched", () => {
    const steps = "static const int steps[] = { 1, 2, 3, 5 }; int step(int a) { return steps[a & 3]; }";
    const result = switched(steps, steps.replace("3, 5", "3, 8"));
    expect(result).toMatchObject({ funcs: ["step"], pieces: ["step", "steps"], refusals: [] });
    expect(needsSwitch(result.diff.selection)).toBe(false);
  });
});
