import fc from "fast-check";
import { expect, test } from "vitest";
import { HeldCode } from "./held-code.ts";
import type { CodeRange, Stack } from "./machine.ts";
import type { Plan } from "./view.ts";

const range = fc
  .tuple(fc.nat(60), fc.integer({ min: 1, max: 12 }))
  .map(([start, size]) => ({ start, end: start + size }));
const ranges = fc.array(range, { maxLength: 4 });

function planOf(sites: readonly (readonly CodeRange[])[], left: readonly CodeRange[]): Plan {
  return {
    sites: sites.map((each, index) => ({
      site: { id: `s${index}`, original: { entry: 0, ranges: each } },
      old: { patch: undefined, code: { entry: 0, ranges: each } },
      new: { patch: "p", code: { entry: 1, ranges: [] } },
    })),
    left: [{ patch: "q", ranges: left }],
  };
}

function stackOf(...frames: (readonly [ip: number, isReturn: boolean])[]): Stack {
  return { kind: "reliable", frames: frames.map(([ip, isReturn], index) => ({ ip, isReturn, cfa: 100 + index })) };
}

test("it finds what a look at every range finds, and the first one given is named", () => {
  const anything = fc.property(fc.array(ranges, { maxLength: 4 }), ranges, fc.nat(80), (sites, left, ip) => {
    const held = new HeldCode(planOf(sites, left));
    const holds = (each: readonly CodeRange[]) => each.some(({ start, end }) => start <= ip && ip < end);
    const site = sites.findIndex(holds);
    const found = held.holderOf({ ip, isReturn: false, cfa: 0 });
    const wanted =
      site >= 0 ? { site: `s${site}`, patch: undefined } : holds(left) ? { site: undefined, patch: "q" } : undefined;
    expect(found).toEqual(wanted);
  });
  fc.assert(anything, { numRuns: 2000 });
});

test("a call that is a function's last instruction is inside of it, what starts behind is not", () => {
  const held = new HeldCode(planOf([[{ start: 10, end: 20 }]], []));
  expect(held.outermost(stackOf([20, true]))).toBe(0);
  expect(held.outermost(stackOf([20, false]))).toBe(-1);
  expect(held.outermost(stackOf([10, true]))).toBe(-1);
  expect(held.outermost(stackOf([10, false]))).toBe(0);
});

test("of several frames the outermost is found", () => {
  const held = new HeldCode(planOf([[{ start: 10, end: 20 }]], []));
  const stack = stackOf([5, false], [12, true], [50, true], [15, true], [60, true]);
  expect(held.outermost(stack)).toBe(3);
});
