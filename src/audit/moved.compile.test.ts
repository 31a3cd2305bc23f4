import { expect, test } from "vitest";
import { fromC } from "../elf/compiled.fixture.ts";
import { readElf } from "../elf/read.ts";
import { compareObjects } from "./compare.ts";
import { lineNumbersOf } from "./line-numbers.ts";
import type { ComparedUnit } from "./livepatch-code.ts";
import { hasMovedUnchanged } from "./moved.ts";

function unit(source: string, original: string, patched: string): ComparedUnit {
  const lines = lineNumbersOf([{ original, patched }]);
  const [a, b] = [original, patched].map((text) => readElf(fromC(text, "-O2", "-fno-pic"), source));
  if (a === undefined || b === undefined) throw new Error("two objects");
  return { source, comparison: compareObjects(a, b, {}, lines), lines };
}

/** What is told of `moved` in the last unit. */
function hasMoved(...units: readonly ComparedUnit[]): boolean {
  const { source, comparison } = units.at(-1) as ComparedUnit;
  const difference = comparison.differences.find(({ name }) => name === "moved");
  return difference !== undefined && hasMovedUnchanged(difference, source, units);
}

const moved = (end: string) => `int moved(int a) { return a * 3${end}; }`;
const rest = "int rest(void) { return 7; }";

test("a function that moves to another file as it was is the one that runs, and no other one is", () => {
  const from = unit("a.c", `${moved("")} ${rest}`, rest);
  const to = (text: string) => unit("b.c", "int own;", `int own; ${text}`);
  expect(hasMoved(from, to(moved("")))).toBe(true);
  expect(hasMoved(from, to(moved(" + 1")))).toBe(false);
  expect(hasMoved(from, to(`static ${moved("")} int (*p)(int) = moved;`))).toBe(false);
  expect(hasMoved(to(moved("")))).toBe(false);
  expect(hasMoved({ ...from, objects: ["one"] }, { ...to(moved("")), objects: ["two"] })).toBe(false);
});

test("a function that moves to where a static variable has the name of its own is another one", () => {
  const uses = "static volatile int level; int moved(void) { return level; }";
  const other = "static volatile int level; int other(void) { return level++; }";
  const from = unit("a.c", `${uses} ${rest}`, rest);
  expect(hasMoved(from, unit("b.c", other, `${other} int moved(void) { return level; }`))).toBe(false);
});
