import { expect, test } from "vitest";
import type { ShippedForm } from "../../subject/program/changed-code.ts";
import { type Missing, missingPatches } from "./missing-patches.ts";

type Look = Readonly<Record<string, ShippedForm>> | "type";

/** @param looks from the last patch on */
async function told(...looks: readonly Look[]): Promise<Missing> {
  return await missingPatches(looks.length, async (fromEnd) => {
    const look = looks[fromEnd - 1] ?? {};
    return look === "type"
      ? { forms: new Map(), isMore: true }
      : { forms: new Map(Object.entries(look)), isMore: false };
  });
}

test("patches are missing up to the one that the build has", async () => {
  expect(await told({ f: "without" }, { g: "without" }, { h: "with" }, { i: "without" })).toEqual({
    kind: "told",
    missing: 2,
  });
  expect(await told({ f: "with" }, { g: "without" })).toEqual({ kind: "told", missing: 0 });
});

test("a function that several of them change says nothing before all of these are off", async () => {
  expect(await told({ f: "without" }, { g: "neither", h: "without" }, { g: "without" }, { i: "with" })).toEqual({
    kind: "told",
    missing: 3,
  });
});

test("a function that is never as any of them leaves it keeps all undecided from there on", async () => {
  expect(await told({ f: "without" }, { g: "neither" }, { h: "without" })).toEqual({ kind: "unclear", at: 2 });
  expect(await told({ g: "neither" }, { h: "with" })).toEqual({ kind: "unclear", at: 1 });
});

test("one that changes no code of what runs is passed over, and not where it changes a type", async () => {
  expect(await told({}, { f: "without" }, {}, { g: "with" })).toEqual({ kind: "told", missing: 2 });
  expect(await told({ f: "without" }, "type", { g: "with" })).toEqual({ kind: "unclear", at: 2 });
  expect(await told({ f: "without" }, { g: "absent" }, { h: "with" })).toEqual({ kind: "unclear", at: 2 });
  // Behind one that the build has, it is of no matter.
  expect(await told({ f: "without" }, { g: "with" }, "type")).toEqual({ kind: "told", missing: 1 });
});

test("a build that is like none of them is not looked through for ever", async () => {
  let looked = 0;
  const strange = async () => {
    looked++;
    return { forms: new Map([[`f${looked}`, "neither" as const]]), isMore: false };
  };
  expect(await missingPatches(1000, strange)).toEqual({ kind: "unclear", at: 1 });
  expect(looked).toBeLessThan(50);
});
