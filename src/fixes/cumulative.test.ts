import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { LivepatchResult } from "../builder/request.ts";
import { SutureError } from "../lib/error.ts";
import { silentProgress } from "../lib/progress.ts";
import { refusal } from "../patch/refusal.ts";
import { cumulativeOf, type PatchingMetadata, type SeriesSource } from "./cumulative.ts";
import { fixesOf } from "./fix.ts";
import { namedPatch } from "./named-patch.ts";
import { isBeside } from "./whole.ts";

let tree: string;
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "suture-cumulative-"));
});
afterEach(() => rmSync(tree, { recursive: true }));

type Result = LivepatchResult<PatchingMetadata>;

const SAYS: PatchingMetadata = {
  ...{ version: 1, name: "", tool: "a test", replace: true, newFunctions: [], needs: [] },
  ...{ proofs: [], notes: [], leftOut: [], fates: [], stays: [] },
  objects: [],
};
const REFUSED: Result = {
  kind: "refused",
  refusals: [refusal("DATA_CHANGED", "it is in use", "a.c", "")],
  leftOut: [],
};

function built(says: Partial<PatchingMetadata> = {}): Result {
  return { kind: "built", path: "", metadata: { ...SAYS, ...says }, seconds: {} };
}

/** A patch of a file of its own, that has no name in common with another one. */
function patchOf(name: string, path = `${name}.c`) {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), `int ${name};\n`);
  const change = `@@ -1 +1 @@\n-int ${name};\n+long ${name};\n`;
  return namedPatch(name, Buffer.from(`Subject: ${name}\n\n--- a/${path}\n+++ b/${path}\n${change}`));
}

/** What became of each patch, and which are in the livepatch, where building a set gives what `build` says. */
async function became(
  series: readonly ReturnType<typeof namedPatch>[],
  build: (names: readonly string[]) => Result,
  source: Partial<SeriesSource> = {},
) {
  const names = (diffs: readonly { readonly name: string }[]) => diffs.map(({ name }) => name);
  const { fixes, livepatch } = await cumulativeOf<PatchingMetadata>(
    series,
    { tree, isPassedOver: (path) => !path.endsWith(".c"), isBeside, ...source },
    {
      directory: tree,
      nameOf: (patches) => names(patches).join("+"),
      build: async (diffs, name) => {
        const result = build(names(diffs));
        return result.kind === "built" ? { ...result, metadata: { ...result.metadata, name } } : result;
      },
    },
    silentProgress,
  );
  const fates = fixes.map(({ fix, fate }) => [fix.name, fate.kind === "left-out" ? fate.problem.code : fate.kind]);
  return { fates: Object.fromEntries(fates), livepatch: livepatch?.metadata.name };
}

test("all that can be built is in one livepatch; what is refused waits with its code, what changes nothing does not concern", async () => {
  const series = ["one", "two", "three", "four"].map((name) => patchOf(name));
  const build = (names: readonly string[]): Result => {
    if (names.includes("two")) return REFUSED;
    return names.join() === "three" ? { kind: "no-change", notes: [] } : built();
  };
  expect(await became(series, build)).toEqual({
    fates: { one: "in", two: "DATA_CHANGED", three: "not-concerned", four: "in" },
    livepatch: "one+four",
  });
});

test("one that the source has already does not concern what was built of it", async () => {
  const build = (names: readonly string[]): Result => {
    if (!names.includes("two")) return built();
    throw new SutureError(names.length === 1 ? "DIFF_ALREADY_APPLIED" : "DIFF_DOES_NOT_APPLY", "it is in");
  };
  expect(
    await became(
      ["one", "two"].map((name) => patchOf(name)),
      build,
    ),
  ).toEqual({
    fates: { one: "in", two: "not-concerned" },
    livepatch: "one",
  });
});

test.each([
  [
    "a part of it is left out",
    { leftOut: [{ ...refusal("INIT_ALREADY_RAN", "it has run", "a.c", ""), pieces: [] }] },
    "INIT_ALREADY_RAN",
  ],
  [
    "a thread would never leave it",
    { notes: [{ code: "TRANSITION_MAY_NOT_END", text: "f is a kernel thread's main function" }] },
    "TRANSITION_MAY_NOT_END",
  ],
  [
    "what runs now would never get it",
    { notes: [{ code: "NEVER_RETURNS", text: "main is on the stack" }] },
    "NEVER_RETURNS",
  ],
  [
    "a file of it is in nothing that ships, as far as is proved",
    { notes: [{ code: "NOT_IN_PROGRAM", text: "one.c is not part of what ships" }] },
    "NOT_PROVED_WHOLE",
  ],
  [
    "exit code that never runs is left out",
    { leftOut: [{ ...refusal("EXIT_NEVER_RUNS", "it never runs", "a.c", ""), pieces: [] }] },
    "in",
  ],
  [
    "a file of it is in one program of several",
    {
      notes: [{ code: "NOT_IN_PROGRAM", text: "one.c is not part of what ships" }],
      proofs: [{ source: "one.c", object: "server", proved: 3, absent: [], differing: [] }],
    },
    "in",
  ],
] as const)("where %s, a fix is told so", async (_, says, expected) => {
  expect((await became([patchOf("one")], () => built(says))).fates).toEqual({ one: expected });
});

test("a fix and one that takes it back are in no livepatch, and neither concerns what runs", async () => {
  const one = patchOf("one");
  const back = "--- a/one.c\n+++ b/one.c\n@@ -1 +1 @@\n-long one;\n+int one;\n";
  const series = [one, namedPatch("back", Buffer.from(back)), patchOf("two")];
  const build = (names: readonly string[]): Result => {
    const isAnything = names.includes("two") || (names.includes("one") && !names.includes("back"));
    return isAnything ? built() : { kind: "no-change", notes: [] };
  };
  expect(await became(series, build)).toEqual({
    fates: { one: "not-concerned", back: "not-concerned", two: "in" },
    livepatch: "one+back+two",
  });
  expect(await became(series.slice(0, 2), build)).toEqual({
    fates: { one: "not-concerned", back: "not-concerned" },
    livepatch: undefined,
  });
});

test("a commit that reverts another, or mends it, is one fix with it", () => {
  const [first, second, third] = ["1", "2", "3"].map((digit) => digit.repeat(40)) as [string, string, string];
  const commit = (id: string, text: string) =>
    namedPatch(undefined, Buffer.from(`From ${id} Mon Sep 17 00:00:00 2001\nSubject: ${id[0]}\n\n${text}\n--- a/x\n`));
  const series = [
    commit(first, "A change."),
    commit(second, "Another one."),
    commit(third, `This reverts commit ${first.slice(0, 12)}\n("A change").`),
    commit("4".repeat(40), `Fixes: ${second.slice(0, 12)} ("Another one")`),
  ];
  expect(fixesOf(series).map(({ patches }) => patches)).toEqual([
    [0, 2],
    [1, 3],
  ]);
});

test("a fix that does not compile alone is tried beside the others", async () => {
  const series = ["one", "two"].map((name) => patchOf(name));
  const build = (names: readonly string[]): Result => {
    const lacks = names.includes("two") && !names.includes("one");
    const why = refusal("DOES_NOT_COMPILE", "undeclared", "two.c", "");
    return lacks ? { kind: "refused", refusals: [why], leftOut: [] } : built();
  };
  expect(await became(series, build)).toEqual({ fates: { one: "in", two: "in" }, livepatch: "one+two" });
});

test("a diff that does not apply is its fix's fault, a full disk is nobody's", async () => {
  const series = ["one", "two"].map((name) => patchOf(name));
  const throws = (error: Error) => (names: readonly string[]) => {
    if (names.includes("two")) throw error;
    return built();
  };
  const { fates } = await became(series, throws(new SutureError("DIFF_DOES_NOT_APPLY", "it does not")));
  expect(fates).toEqual({ one: "in", two: "DIFF_DOES_NOT_APPLY" });
  await expect(became(series, throws(new SutureError("DISK_FULL", "no space is left")))).rejects.toThrow("no space");
});

test("a file that is no code and may be installed keeps its fix out, documentation and tests do not", async () => {
  const beside = [patchOf("words", "README.md"), patchOf("tried", "reg-tests/http/a.vtc")];
  const series = [patchOf("menu", "menu.py"), ...beside, patchOf("code")];
  const { fates } = await became(series, (names) =>
    names.includes("code") ? built() : { kind: "no-change", notes: [] },
  );
  expect(fates).toEqual({ menu: "NOT_ONLY_CODE", words: "not-concerned", tried: "not-concerned", code: "in" });
});

test("a patch that is not to be tried waits with its reason", async () => {
  const barred = new Map([["two", { code: "NO_BOUNDARIES", what: "it is beside a change without a name" }]]);
  const series = ["one", "two"].map((name) => patchOf(name));
  expect((await became(series, () => built(), { barred })).fates).toEqual({ one: "in", two: "NO_BOUNDARIES" });
});
