import { expect, test } from "vitest";
import { familyOf, isCoroutine, isLambda } from "./numbered-names.ts";

test.each([
  // Lambdas of one function and one signature.
  ["_ZZ3regPKcENKUliE_clEi", "_ZZ3regPKcENKUliE0_clEi"],
  ["_ZZ3regPKcENUliE_4_FUNEi", "_ZZ3regPKcENUliE12_4_FUNEi"],
  ["_ZZZ3regvENKUlvE_clEvE1s", "_ZZZ3regvENKUlvE3_clEvE1s"],
  // Unnamed types.
  ["_ZZ3foovENUt_3barEv", "_ZZ3foovENUt0_3barEv"],
  // Static locals of one name, and their guards.
  ["_ZZ3foovE1s", "_ZZ3foovE1s_0"],
  ["_ZZ3foovE1s", "_ZZ3foovE1s__10_"],
  ["_ZGVZ3foovE1s", "_ZGVZ3foovE1s_0"],
  ["_ZGR3ref_", "_ZGR3ref0_"],
])("%s and %s are told apart by a number alone", (one, other) => {
  expect(familyOf(one)).toBeDefined();
  expect(familyOf(one)).toBe(familyOf(other));
});

test.each([
  ["_ZZ3regPKcENKUliE_clEi", "_ZZ3regPKcENKUljE_clEj"],
  ["_ZZ3foovE1s", "_ZZ3foovE1t"],
  ["_ZZ3foovE1s", "_ZZ3barvE1s"],
])("%s and %s are told apart by more", (one, other) => {
  expect(familyOf(one)).not.toBe(familyOf(other));
});

test("plain names have no family", () => {
  for (const name of ["main", "_Z3regPKc", "state.3", "_ZN3foo3barEv"]) expect(familyOf(name)).toBeUndefined();
});

test("lambdas and coroutines are told by their names", () => {
  expect(isLambda("_ZZ3regPKcENKUliE_clEi")).toBe(true);
  expect(isLambda("_Z3regPKc")).toBe(false);
  expect(isCoroutine("_Z5stepsi.actor")).toBe(true);
  expect(isCoroutine("steps.actor")).toBe(false);
});
