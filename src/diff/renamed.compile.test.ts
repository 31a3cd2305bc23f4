/** Static functions that are renamed, and what has their address. */
import { describe, expect, test } from "vitest";
import { compared, only } from "./compiled.fixture.ts";

const SOURCE = `
  extern void give(const char *, int (*)(int));
  static int show(int a) { return outside(a) + 1; }
  int __init start(int a) { give("all", show); return outside(a); }
  int run(int a) { return outside(a) * 3; }
`;
const RENAMED = SOURCE.replaceAll("show", "display");

test("a function that only init code has handed out is the running one under its new name", () => {
  const result = compared(SOURCE, RENAMED.replace("+ 1", "+ 2"));
  expect(result).toMatchObject(only({ funcs: ["show"], pieces: ["display"], notes: ["FUNCTION_RENAMED"] }));
  expect(result.diff.notes[0]?.text).toBe(
    "the running show stands for display, which takes its place wherever its address is (start)",
  );
});

test("a new name alone changes nothing", () => {
  expect(compared(SOURCE, RENAMED)).toMatchObject(only({ notes: ["FUNCTION_RENAMED"] }));
});

test("one that code hands out while it runs, or data names, is the running one as well", () => {
  const source = `${SOURCE}
    static int fire(int a) { return outside(a) * 5; }
    static int beat(int a) { return outside(a) * 7; }
    struct timer { int (*function)(int); };
    void arm(struct timer *t) { t->function = fire; }
    struct timer live = { beat };
  `;
  const patched = source
    .replaceAll("fire", "burn")
    .replaceAll("beat", "pulse")
    .replace("* 5", "* 6")
    .replace("* 7", "* 8");
  expect(compared(source, patched)).toMatchObject({ funcs: ["beat", "fire"], pieces: ["burn", "pulse"], refusals: [] });
});

test("it is another function where a place that had its address has a third one's", () => {
  const twice = SOURCE.replace('give("all", show);', 'give("all", show); give("one", show);');
  const split = twice
    .replace('"all", show', '"all", display')
    .replace('"one", show', '"one", print')
    .replace("static int show", "static int print(int a) { return other(a); }\n  static int display");
  expect(compared(twice, split).refusals).toEqual(["FUNCTION_REPLACED"]);
});

test("a new function in a table is what the running one is led to, if nothing else is left of that", () => {
  const table = `
    struct operations { int (*show)(int); int (*next)(int); };
    static int show(int a) { return outside(a) + 1; }
    static int next(int a) { return other(a); }
    static const struct operations table = { show, next };
    const struct operations *give(int a) { return &table; }
  `;
  const inlined = table
    .replace("{ show, next", "{ display, next")
    .replace("static int next", "static int display(int a) { return show(a) * 3; }\n    static int next");
  expect(compared(table, inlined)).toMatchObject(
    only({ funcs: ["show"], pieces: ["display"], notes: ["FUNCTION_RENAMED"] }),
  );
  expect(compared(table, inlined.replace("static int show", "static noinline int show")).refusals).toEqual([
    "OPERATIONS_CHANGED",
  ]);
});

test("what init code has handed out is refused where that is another, and hands out a new function", () => {
  const patched = RENAMED.replace("start(int a) { ", "start(int a) { other(4); ");
  const result = compared(SOURCE, patched.replace("a) * 3", "a) * 5"));
  expect(result.refusals).toEqual(["FUNCTION_REPLACED"]);
  expect(result.diff.refusals[0]?.what).toMatch(/^show is gone, and start, which has run, .* does not reach display$/);
  expect(compared(SOURCE, RENAMED.replace("static int display", "int display")).refusals).toEqual([
    "FUNCTION_REPLACED",
  ]);
  const without = SOURCE.replace('give("all", show);', "").replace(
    "static int show(int a) { return outside(a) + 1; }",
    "",
  );
  expect(compared(SOURCE, without)).toMatchObject(only({ leftOut: ["INIT_ALREADY_RAN"] }));
});

describe("names that are handed on", () => {
  const source = `
    static int first(int a) { return outside(a) + 1; }
    static int second(int a) { return outside(a) + 2; }
    extern int (*table[2])(int);
    void __init start(void) { table[0] = first; table[1] = second; }
    int run(int a) { return outside(a) * 3; }
  `;
  const named = (a: string, b: string) =>
    source.replaceAll("first", "FIRST").replaceAll("second", b).replaceAll("FIRST", a);

  test.each([
    ["along a chain", named("second", "third")],
    ["to each other", named("second", "first")],
  ])("%s: the running function of the name would be led to what another was", (_how, patched) => {
    expect(compared(source, patched).refusals).toEqual(expect.arrayContaining(["FUNCTION_NAME_MOVED"]));
  });

  test("a function that comes to be as another one is keeps its name", () => {
    const patched = source.replace("a) + 2", "a) + 1");
    expect(compared(source, patched)).toMatchObject({ funcs: ["second"], refusals: [] });
  });
});
