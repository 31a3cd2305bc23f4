/** One diff for several kernels: each has its livepatch, or its reason. */
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Kernel } from "../src/provider/kernel/kernel.ts";
import { newestKernel } from "./fixtures/newest-kernel.ts";
import { Places, type Said } from "./fixtures/places.ts";
import { shown } from "./fixtures/shown.ts";
import { sourceDiff } from "./kernel/source-diffs.ts";

/** The same in both. */
const FILE = "fs/proc/version.c";
const SAYS = "	seq_printf(m, linux_proc_banner,";
let kernels: readonly [older: Kernel, newer: Kernel];
let places: Places;

beforeAll(async () => {
  kernels = [await newestKernel("6.1"), await newestKernel("6.12")];
  places = new Places({ kernel: kernels[0] });
  symlinkSync(kernels[1].directory, join(places.cache, "kernels", kernels[1].release));
});
afterAll(() => places?.[Symbol.dispose]());

function build(diff: string, ...more: readonly string[]): Said {
  writeFileSync(join(places.cwd, "a.patch"), diff, "latin1");
  const named = kernels.flatMap(({ release }) => ["--kernel", release]);
  return places.run(["build", ...named, ...more, "a.patch"]);
}

test("each gets a livepatch of its own, in the directory that is named", () => {
  const diff = sourceDiff(kernels[0], [[FILE, SAYS, `	seq_puts(m, "");\n${SAYS}`]]);
  mkdirSync(join(places.cwd, "made"));
  const { status, stdout } = build(diff, "--output", "made");
  expect(status).toBe(0);
  expect(stdout.trimEnd().split("\n")).toEqual(
    kernels.map(({ release }) => expect.stringMatching(new RegExp(`^${release.replaceAll("+", "\\+")} +built `))),
  );
  expect(readdirSync(join(places.cwd, "made")).toSorted()).toEqual(
    kernels.map(({ release }) => `livepatch-a-${release}.ko`).toSorted(),
  );
});

test("all that are ready are those that a release names: none of a user's own is looked for in an archive", () => {
  const record = JSON.parse(readFileSync(join(kernels[0].directory, "kernel.json"), "utf8"));
  const own = join(places.cache, "kernels/custom-0123456789abcdef");
  mkdirSync(own);
  writeFileSync(join(own, "kernel.json"), JSON.stringify({ ...record, release: "6.1.999", sourceMayChange: true }));
  writeFileSync(join(places.cwd, "none.patch"), "--- a/README\n+++ b/README\n@@ -1 +1 @@\n-Linux kernel\n+A kernel\n");
  const { stdout } = places.run(["build", "--kernel", "ready", "none.patch", "--json"]);
  const found = shown(stdout).kernels.map(({ release }: { release: string }) => release);
  expect(found).toEqual(kernels.map(({ release }) => release).toSorted());
  expect(places.run(["kernel", "list"]).stdout).toContain("6.1.999");
});

test("one that has the fix already is not affected, one that is refused or unknown hides nothing of the others", () => {
  // Taken back it is a change that both have.
  const diff = sourceDiff(kernels[0], [[FILE, SAYS, `	seq_puts(m, "");\n${SAYS}`]]);
  const isIn = diff.replace(/^@@ -(\S+) \+(\S+) @@/m, "@@ -$2 +$1 @@").replace(/^\+(?!\+)/gm, "-");
  const { status, stdout } = build(isIn, "--kernel", "no/such-kernel", "--json");
  expect(status).toBe(1);
  expect(shown(stdout)).toMatchObject({
    kind: "kernels",
    kernels: [
      ...kernels.map(({ release }) => ({
        release,
        result: { kind: "no-change", notes: [{ code: "DIFF_ALREADY_APPLIED" }] },
      })),
      { release: "no/such-kernel", error: { code: "BAD_KERNEL_RELEASE" } },
    ],
  });
});

test("a livepatch takes the place of no diff", () => {
  const [{ release }] = kernels;
  const own = `livepatch-a-${release}.ko`;
  writeFileSync(join(places.cwd, own), "a diff");
  const { stdout } = build("", own, "--name", "livepatch_a", "--json");
  expect(shown(stdout).kernels[0]).toMatchObject({ release, error: { code: "OUTPUT_IS_INPUT" } });
  expect(readFileSync(join(places.cwd, own), "utf8")).toBe("a diff");
  rmSync(join(places.cwd, own));
});

test("what says of one kernel where it is does not go with several", () => {
  const said = build("", "--vmlinux", "vmlinux");
  expect(said.stderr).toContain("several kernels and --vmlinux exclude each other");
  expect(said.status).toBe(1);
});
