import { expect, test } from "vitest";
import { SutureError } from "../../lib/error.ts";
import type { SourceVersions } from "../../provider/program/source-versions.ts";
import { kernelDifference, newestDifference } from "./named-fixes.ts";

/** A package by the patches of each version, the newest first; undefined where the archive does not have them. */
function made(patches: Readonly<Record<string, Readonly<Record<string, string>> | undefined>>): SourceVersions {
  return {
    name: "made",
    versions: Object.keys(patches),
    installed: undefined,
    upstreamOf: (version) => version.replace(/-[^-]*$/, ""),
    files: async () => [],
    spec: (version) => version,
    async patches(version) {
      const own = patches[version];
      if (own === undefined) throw new SutureError("SOURCE_NOT_IN_ARCHIVE", `no patches of ${version}`);
      return Object.entries(own).map(([name, text]) => ({ name, data: Buffer.from(text) }));
    },
  };
}

test("fixes are the patches that the newer version has and the older one does not, in its order", async () => {
  const versions = made({ "1.0-3": { b: "b", a: "a", c: "c" }, "1.0-2": { a: "a" } });
  const { to, series, apart, unnamed } = await newestDifference(versions, "1.0-2", ["1.0-3"]);
  expect([to, series.map(({ name }) => name), apart, unnamed]).toEqual(["1.0-3", ["b", "c"], [], []]);
});

test("a patch that is another one by the same name, or is gone, is told of and is no fix", async () => {
  const versions = made({ "1.0-3": { a: "other", c: "c" }, "1.0-2": { a: "a", b: "b" } });
  const { series, unnamed } = await newestDifference(versions, "1.0-2", ["1.0-3"]);
  expect(series.map(({ name }) => name)).toEqual(["c"]);
  expect(unnamed.map(({ code, where }) => [code, where])).toEqual([
    ["NO_BOUNDARIES", "a"],
    ["NO_BOUNDARIES", "b"],
  ]);
});

test("a fix of a file that a patch without a name of its own has changed is not tried", async () => {
  const diff = (file: string) => `--- a/${file}\n+++ b/${file}\n@@ -1 +1 @@\n-a\n+b\n`;
  const versions = made({ "1.0-3": { c: diff("a.c"), d: diff("d.c") }, "1.0-2": { gone: diff("a.c") } });
  const { series, barred } = await newestDifference(versions, "1.0-2", ["1.0-3"]);
  expect([series.map(({ name }) => name), [...barred.keys()]]).toEqual([["c", "d"], ["c"]]);
});

test("where upstream's source went on, the patches that are made for it wait, by name", async () => {
  const versions = made({ "1.1-1": { a: "a", "CVE-2026-1001.patch": "c" }, "1.0-2": { a: "a" } });
  const { series, apart, unnamed } = await newestDifference(versions, "1.0-2", ["1.1-1"]);
  expect(series).toEqual([]);
  expect(apart.map(({ fix, fate }) => [fix.cves, fate.kind])).toEqual([[["CVE-2026-1001"], "left-out"]]);
  expect(unnamed.map(({ what }) => what)).toEqual([expect.stringContaining("from 1.0 to 1.1")]);
});

test("before upstream's source went on, what was made for the older one can be had still", async () => {
  const versions = made({ "1.1-1": { a: "a", d: "d" }, "1.0-4": undefined, "1.0-3": { a: "a", b: "b" }, "1.0-2": {} });
  const { to, series, apart, unnamed } = await newestDifference(versions, "1.0-2", ["1.1-1", "1.0-4", "1.0-3"]);
  expect([to, series.map(({ name }) => name), apart.map(({ fix }) => fix.name)]).toEqual(["1.1-1", ["a", "b"], ["d"]]);
  expect(unnamed.map(({ code }) => code)).toEqual(["NO_BOUNDARIES", "SOURCE_NOT_IN_ARCHIVE"]);
});

test("where the newest version's patches are not to be had, it is told, and the next one is taken", async () => {
  const versions = made({ "1.0-4": undefined, "1.0-3": { a: "a" }, "1.0-2": {} });
  const { to, series, unnamed } = await newestDifference(versions, "1.0-2", ["1.0-4", "1.0-3"]);
  expect([to, series.map(({ name }) => name), unnamed.map(({ code }) => code)]).toEqual([
    "1.0-3",
    ["a"],
    ["SOURCE_NOT_IN_ARCHIVE"],
  ]);
});

test("where the older version's patches are not to be had, that is told, and nothing is a fix", async () => {
  const versions = made({ "1.0-4": { a: "a" }, "1.0-3": { a: "a" }, "1.0-2": undefined });
  const { to, series, unnamed } = await newestDifference(versions, "1.0-2", ["1.0-4", "1.0-3"]);
  expect([to, series, unnamed.map(({ code, what }) => [code, what])]).toEqual([
    "1.0-4",
    [],
    [["SOURCE_NOT_IN_ARCHIVE", "no patches of 1.0-2"]],
  ]);
});

test("a kernel catches up with its own series, under whatever name its source has", async () => {
  const own = made({ "6.1.9-2": { a: "a" }, "6.1.9-1": {} });
  const second = made({ "6.12.3-1": { b: "b" }, "6.12.2-1": {}, "6.1.9-2": {} });
  const packages = { of: async (name: string) => (name === "linux" ? own : second), sourcesOf: async () => [] };
  expect(await kernelDifference(packages, "6.1.9-1")).toMatchObject({ to: "6.1.9-2", series: [{ name: "a" }] });
  expect(await kernelDifference(packages, "6.12.2-1")).toMatchObject({ to: "6.12.3-1", series: [], apart: [{}] });
  expect(await kernelDifference(packages, "6.1.9-2")).toMatchObject({ to: "6.1.9-2", series: [], unnamed: [] });
});
