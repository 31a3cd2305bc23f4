import { expect, test } from "vitest";
import type { ObjectRecord } from "../patch/metadata.ts";
import type { PatchedObject, SysfsPatch } from "../targets/kernel/sysfs.ts";
import { whyNotPatched } from "./livepatch-state.ts";

const enabled = (...objects: readonly PatchedObject[]): SysfsPatch => ({
  name: "fix",
  enabled: true,
  transition: false,
  objects,
});
const object = (name: string, funcs: number, patched: boolean | undefined = true): PatchedObject => ({
  name,
  patched,
  funcs: Array.from({ length: funcs }, (_, i) => ({ name: `f${i}`, sympos: 0 })),
});

const FUNC = { name: "work", sympos: 0, source: "work.c", why: "changed", size: { original: 8, patched: 8 } };
const nat: ObjectRecord = { name: "nat", funcs: [FUNC], callbacks: [] };
const conntrack: ObjectRecord = { name: "conntrack", funcs: [], callbacks: [] };

test("an object that only lends its symbols needs no function, beside one that is patched", () => {
  const state = enabled(object("conntrack", 0), object("nat", 1));
  expect(whyNotPatched(state, [conntrack, nat], ["conntrack", "nat"])).toBeUndefined();
});

test("a livepatch whose objects all only lend patches nothing", () => {
  const state = enabled(object("conntrack", 0));
  expect(whyNotPatched(state, [conntrack], ["conntrack"])).toBe("it patches no function of conntrack");
});

test("an object that should have functions and shows none is found", () => {
  const state = enabled(object("conntrack", 1), object("nat", 0));
  expect(whyNotPatched(state, [{ ...conntrack, funcs: [FUNC] }, nat], [])).toBe("it patches no function of nat");
  expect(whyNotPatched(state, undefined, [])).toBe("it patches no function of nat");
});

test("objects of callbacks, of values and of functions that are switched show no functions", () => {
  const state = enabled(object("vmlinux", 0));
  const vmlinux = { ...conntrack, name: "vmlinux" };
  for (const record of [
    { ...vmlinux, callbacks: ["pre_patch"] },
    { ...vmlinux, values: ["limit"] },
    { ...vmlinux, funcs: [{ ...FUNC, by: "switch" as const }] },
  ])
    expect(whyNotPatched(state, [record], [])).toBeUndefined();
});

test("what is loaded has to be patched; a module that is not need not", () => {
  const state = enabled(object("nat", 1, false), object("conntrack", 1, undefined));
  expect(whyNotPatched(state, undefined, ["nat"])).toBe("loaded but not patched: nat");
  expect(whyNotPatched(state, undefined, [])).toBeUndefined();
  expect(whyNotPatched({ ...state, enabled: false }, undefined, [])).toBe("sysfs shows it as not enabled");
  expect(whyNotPatched(enabled(), undefined, [])).toBe("it patches no object");
});
