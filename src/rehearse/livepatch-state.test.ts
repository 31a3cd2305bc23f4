import { expect, test } from "vitest";
import type { ObjectRecord } from "../patch/metadata.ts";
import { stateOf, whyNotPatched } from "./livepatch-state.ts";

const FUNC = { name: "work", sympos: 0, source: "work.c", why: "changed", size: { original: 8, patched: 8 } };
const nat: ObjectRecord = { name: "nat", funcs: [FUNC], callbacks: [] };
const conntrack: ObjectRecord = { name: "conntrack", funcs: [], callbacks: [] };

test("an object that only lends its symbols needs no function, beside one that is patched", () => {
  const state = stateOf("enabled 1\nobject conntrack 1 0\nobject nat 1 1\n");
  expect(whyNotPatched(state, [conntrack, nat], ["conntrack", "nat"])).toBeUndefined();
});

test("a livepatch whose objects all only lend patches nothing", () => {
  const state = stateOf("enabled 1\nobject conntrack 1 0\n");
  expect(whyNotPatched(state, [conntrack], ["conntrack"])).toBe("it patches no function of conntrack");
});

test("an object that should have functions and shows none is found", () => {
  const state = stateOf("enabled 1\nobject conntrack 1 1\nobject nat 1 0\n");
  expect(whyNotPatched(state, [{ ...conntrack, funcs: [FUNC] }, nat], [])).toBe("it patches no function of nat");
  expect(whyNotPatched(state, undefined, [])).toBe("it patches no function of nat");
});

test("objects of callbacks, of values and of functions that are switched show no functions", () => {
  const state = stateOf("enabled 1\nobject vmlinux 1 0\n");
  const vmlinux = { ...conntrack, name: "vmlinux" };
  for (const record of [
    { ...vmlinux, callbacks: ["pre_patch"] },
    { ...vmlinux, values: ["limit"] },
    { ...vmlinux, funcs: [{ ...FUNC, by: "switch" as const }] },
  ])
    expect(whyNotPatched(state, [record], [])).toBeUndefined();
});

test("what is loaded has to be patched; a module that is not need not", () => {
  const state = stateOf("enabled 1\nobject nat 0 1\nobject conntrack ? 1\n");
  expect(whyNotPatched(state, undefined, ["nat"])).toBe("loaded but not patched: nat");
  expect(whyNotPatched(state, undefined, [])).toBeUndefined();
  expect(whyNotPatched({ ...state, enabled: false }, undefined, [])).toBe("sysfs shows it as not enabled");
  expect(whyNotPatched(stateOf("enabled 1\n"), undefined, [])).toBe("it patches no object");
});
