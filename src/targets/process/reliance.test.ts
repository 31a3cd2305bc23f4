import { expect, test } from "vitest";
import { relianceRefusals } from "./reliance.ts";

const part = (funcs: readonly string[], relies: readonly string[], source = "u.c", buildId = "01") => ({
  buildId,
  funcs: funcs.map((name) => ({ source, name })),
  relies: relies.map((name) => ({ source, name })),
});
const patch = (name: string, ...objects: ReturnType<typeof part>[]) => ({ name, objects });

test("a function that code relies on and another livepatch replaces is refused, in either order", () => {
  const weight = patch("a", part(["weight"], []));
  const total = patch("b", part(["total"], ["weight"]));
  for (const [next, there] of [
    [total, weight],
    [weight, total],
  ] as const) {
    const [only, ...more] = relianceRefusals(next, [there]);
    expect(more).toEqual([]);
    expect(only?.code).toBe("RELIES_ON_REPLACED");
    expect(only?.what).toBe("b calls weight and was compiled by what weight did before, and a replaces it");
  }
});

test.each([
  ["of another file", part(["weight"], [], "v.c")],
  ["of another object", part(["weight"], [], "u.c", "02")],
  ["that nobody relies on", part(["other"], [])],
])("a function does not matter %s", (_, there) => {
  expect(relianceRefusals(patch("b", part(["total"], ["weight"])), [patch("a", there)])).toEqual([]);
});

test("a livepatch is no reason against itself", () => {
  const both = patch("a", part(["total"], ["weight"]), part(["weight"], []));
  expect(relianceRefusals(both, [both])).toEqual([]);
});

test("what a livepatch below relies on does not matter where all of its functions come anew", () => {
  const below = patch("a", part(["total"], ["weight"]));
  const above = patch("b", part(["total", "weight"], []));
  expect(relianceRefusals(above, [below])).toEqual([]);
  expect(relianceRefusals(below, [above]).map(({ code }) => code)).toEqual(["RELIES_ON_REPLACED"]);
});
