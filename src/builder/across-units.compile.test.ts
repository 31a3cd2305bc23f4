import { expect, test } from "vitest";
import { compared } from "../diff/compiled.fixture.ts";
import type { ObjectDiff } from "../diff/object-diff.ts";
import type { DiffOptions } from "../diff/options.ts";
import { diffedAgain, diffedTogether, type KnownOfOthers } from "./across-units.ts";

interface Each {
  readonly object: string;
  readonly diff: ObjectDiff;
  readonly options: DiffOptions;
}

/** @param files original and patched text of each file, and the object that it is part of */
function together(files: readonly (readonly [original: string, patched: string, object?: string])[], has = [""]) {
  const diffs = files.map(
    ([original, patched, object = "vmlinux"]): Each => ({
      object,
      diff: compared(original, patched).diff,
      options: { isModule: false, needsHook: true },
    }),
  );
  const outcome = diffedTogether(diffs, ({ object }) => ({
    object,
    whatHas: (name) => (has.includes(name) ? `${object} has one already` : undefined),
  }));
  const refusals = [...outcome.refusals, ...outcome.diffs.flatMap(({ diff }) => diff.refusals)];
  return {
    codes: refusals.map(({ code }) => code),
    funcs: outcome.diffs.map(({ diff }) => diff.selection.funcs.map(({ name }) => name)),
    pieces: outcome.diffs.map(({ diff }) => diff.selection.pieces.map(({ atom }) => atom.name)),
  };
}

const LOAD = "int load(int n) { return outside(n); }\n";
const USE = "int load(int);\nint use(int n) { return load(n) + 1; }\n";

test("a function that moves and changes is replaced where it runs", () => {
  const { codes, funcs } = together([
    [LOAD, "int kept;\n"],
    [USE, USE + LOAD.replace("outside(n)", "outside(n) + 5")],
  ]);
  expect({ codes, funcs }).toEqual({ codes: [], funcs: [[], ["use", "load"]] });
});

test("a function that only moves stays the running one", () => {
  const { codes, funcs, pieces } = together([
    [LOAD, "int kept;\n"],
    [USE, (USE + LOAD).replace("+ 1", "+ 2")],
  ]);
  expect({ codes, funcs, pieces }).toEqual({ codes: [], funcs: [[], ["use"]], pieces: [[], ["use"]] });
});

test("a variable that moves stays the running one, and must keep its initial value", () => {
  const home = "int level = 3;\nint get(void) { return level; }\n";
  const gone = "extern int level;\nint get(void) { return level + 1; }\n";
  const user = "extern int level;\nint use(void) { return level; }\n";
  const moved = "int level = 3;\nint use(void) { return level + 2; }\n";
  const { codes, pieces } = together([
    [home, gone],
    [user, moved],
  ]);
  expect({ codes, pieces }).toEqual({ codes: [], pieces: [["get"], ["use"]] });
  const changed = together([
    [home, gone],
    [user, moved.replace("3", "4")],
  ]);
  expect(changed.codes).toEqual(["DATA_CHANGED"]);
});

test("a static variable of the same name in another file may be another one", () => {
  const home = "static int level = 3;\nint get(void) { return level++; }\n";
  const user = "int use(void) { return 1; }\n";
  const { codes } = together([
    [home, "int get(void) { return 1; }\n"],
    [user, "static int level = 3;\nint use(void) { return level++; }\n"],
  ]);
  expect(codes).toEqual(["VARIABLE_MOVED"]);
});

test("a static function whose address was given away does not move", () => {
  const show = "static int show(int n) { return outside(n); }\n";
  const hand = "extern void give(int (*)(int));\n";
  const { codes } = together([
    [`${show}${hand}void start(void) { give(show); }\n`, `${hand}void start(void) { give(0); }\n`],
    ["int use(int n) { return n; }\n", `${show}${hand}int use(int n) { give(show); return n; }\n`],
  ]);
  expect(codes).toEqual(["FUNCTION_MOVED"]);
});

test("a function does not move from one object to another", () => {
  const { codes } = together([
    [LOAD, "int kept;\n", "helper"],
    [USE, (USE + LOAD).replace("+ 1", "+ 2"), "vmlinux"],
  ]);
  expect(codes).toEqual(["FUNCTION_MOVED"]);
});

test("a name that the object has, or that two files bring, is not defined anew", () => {
  const fresh = "int fresh(int n) { return outside(n); }\nint use(int n) { return fresh(n) + 1; }\n";
  const old = "extern int fresh(int);\nint use(int n) { return fresh(n); }\n";
  expect(together([[old, fresh]], ["fresh"]).codes).toEqual(["ALREADY_DEFINED"]);
  const other = (text: string) => text.replaceAll("use", "more");
  expect(
    together([
      [old, fresh],
      [other(old), other(fresh)],
    ]).codes,
  ).toEqual(["ALREADY_DEFINED"]);
  const hidden = fresh.replace("int fresh", "static noinline int fresh");
  expect(together([["int use(int n) { return n; }\n", hidden]], ["fresh"]).codes).toEqual([]);
});

test("a function that calls itself, of which gcc makes a second name, moves as others do", () => {
  const own = "__attribute__((weak)) int load(int n) { return n <= 0 ? outside(n) : load(n - 1) + outside(n); }\n";
  const changed = own.replaceAll("outside(n)", "outside(n + 5)");
  const { codes, funcs } = together([
    [own, "int kept;\n"],
    [USE, USE + changed],
  ]);
  expect({ codes, funcs }).toEqual({ codes: [], funcs: [[], ["load.localalias"]] });
});

test("what the diff removes is not taken from the running object", () => {
  const { codes } = together([
    [LOAD, "int kept;\n"],
    ["int use(int n) { return n; }\n", USE],
  ]);
  expect(codes).toEqual(["SYMBOL_REMOVED"]);
});

test("a diff that is more than a diff of its two sides is made again in its own way", () => {
  const options = { isModule: false, needsHook: true };
  const [gone, came] = [
    compared(LOAD, "int kept;\n").diff,
    compared(USE, USE + LOAD.replace("outside(n)", "outside(n) + 5")).diff,
  ];
  interface Told extends Each {
    readonly again?: (more: KnownOfOthers) => Told;
  }
  const note = { code: "OF_ITS_FORM", text: "" };
  const own: Told = {
    ...{ object: "vmlinux", diff: came, options },
    again: (more) => {
      const { diff } = diffedAgain<Told>({ object: "vmlinux", diff: came, options }, more);
      return { ...own, diff: { ...diff, notes: [...diff.notes, note] } };
    },
  };
  const { diffs } = diffedTogether<Told>([{ object: "vmlinux", diff: gone, options }, own], ({ object }) => ({
    object,
    whatHas: () => undefined,
  }));
  expect(diffs[1]?.diff.selection.funcs.map(({ name }) => name)).toEqual(["use", "load"]);
  expect(diffs[1]?.diff.notes).toContain(note);
});

const COUNT = "static int count;\nint next(void) { return ++count; }\n";

test.each([
  ["renamed", COUNT.replaceAll("count", "total")],
  ["of another type", COUNT.replaceAll("static int count", "static long total").replace("++count", "++total")],
  ["local to the function", "int next(void) { static int here; return ++here; }\n"],
  [
    "used through a new function",
    "static int total;\nstatic noinline int more(void) { return ++total; }\nint next(void) { return more(); }\n",
  ],
  ["split in two", "static int one, two;\nint next(void) { return ++one + ++two; }\n"],
])("a variable in whose place a new one comes is refused: %s", (_, patched) => {
  expect(new Set(together([[COUNT, patched]]).codes)).toEqual(new Set(["VARIABLE_REPLACED"]));
});

test.each([
  ["stays in use", "static int count, total;\nint next(void) { return ++total; }\nint old(void) { return count++; }\n"],
  ["becomes global", COUNT.replace("static ", "").replace("++count", "++count + 1")],
  ["goes to another section", COUNT.replace("count;", 'count __section(".data..mostly_read") = 0;')],
  ["becomes local and keeps its name", "int next(void) { static int count; return ++count + 1; }\n"],
  ["goes, and no other comes", "int next(void) { return outside(1); }\n"],
])("a variable is not taken for replaced that %s", (_, patched) => {
  expect(together([[COUNT, patched]]).codes).toEqual([]);
});

test("a static local that is renamed is refused", () => {
  const before = "int next(void) { static int seen = 5; return ++seen; }\n";
  expect(together([[before, before.replaceAll("seen", "known")]]).codes).toEqual(["VARIABLE_REPLACED"]);
});
