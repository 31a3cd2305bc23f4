import { expect, test } from "vitest";
import type { PatchMetadata } from "../patch/metadata.ts";
import type { ProgramMetadata } from "../patch/program-metadata.ts";
import { explanation, fateLines, programExplanation } from "./explanation.ts";

const patch: PatchMetadata = {
  version: 1,
  name: "livepatch_fix",
  tool: "suture 0.1.0",
  kernel: { release: "6.1.0", buildId: "00ff", vermagic: "6.1.0 SMP " },
  replace: true,
  objects: [
    {
      name: "ext4",
      buildId: "ee",
      funcs: [{ name: "f", sympos: 2, source: "fs/f.c", why: "its code changes", size: { original: 10, patched: 12 } }],
      callbacks: ["pre_patch"],
    },
  ],
  newFunctions: ["g"],
  needs: [
    { name: "printk", object: "vmlinux", by: "exported", sympos: 0 },
    { name: "local", object: "ext4", by: "livepatch", sympos: 3 },
  ],
  proofs: [
    { source: "fs/f.c", object: "ext4", proved: 3, absent: ["w"], differing: [{ name: "d", reason: "other code" }] },
  ],
  notes: [{ code: "NEW_EXPORT", text: "a note" }],
  leftOut: [
    {
      kind: "refusal",
      code: "INIT",
      what: "init text changes",
      where: "fs/f.c: init",
      hint: "nothing",
      pieces: [{ source: "fs/f.c", section: ".init.text", name: "f" }],
    },
  ],
  fates: [
    { source: "fs/f.c", section: ".text.f", name: "f", fate: "replaced", by: "ftrace", why: "its code changes" },
    { source: "fs/f.c", section: ".init.text", name: "i", fate: "without-effect", why: "it ran at boot" },
  ],
  stays: [{ source: "fs/f.c", function: "f", what: "the new code of g", how: "is passed to keep, which may keep it" }],
};

test("an explanation says which functions, why, what they need, what was proved, and what was left out", () => {
  expect(explanation(patch).join("\n")).toMatchInlineSnapshot(`
    "livepatch_fix, a livepatch for Linux 6.1.0
      vmlinux build-id 00ff
      vermagic 6.1.0 SMP
      replaces all livepatches loaded before it; made by suture 0.1.0

    Functions patched in the module ext4 (build-id ee)
      f, number 2 of that name
        fs/f.c, 10 -> 12 bytes
        its code changes

    Callbacks of the module ext4
      pre-patch

    New functions, which only the livepatch has
      g

    Needs from the running kernel
      printk of vmlinux, exported
      local,3 of ext4, by livepatch relocation

    Proved equal to the code that was shipped
      fs/f.c: 3 functions, byte for byte, in ext4
        not in what was shipped: w
        differs, and is not patched: d: other code

    When it is disabled its memory stays, since it hands out addresses
      the new code of g is passed to keep, which may keep it (f, fs/f.c)

    Notes
      NEW_EXPORT: a note

    Left out, because no running code is touched by it
      INIT: init text changes
        fs/f.c: init
        nothing"
  `);
});

test("a heading without anything below it is left out", () => {
  const bare = { ...patch, objects: [], newFunctions: [], needs: [], stays: [], proofs: [], notes: [], leftOut: [] };
  expect(explanation(bare)).toHaveLength(4);
});

test("an explanation of a program's livepatch says for which package and objects it is", () => {
  const [func] = patch.objects[0]?.funcs ?? [];
  const program: ProgramMetadata = {
    ...patch,
    kind: "program",
    program: { package: "redis", version: "5:7.0.15-1", compiler: "gcc 12.2.0" },
    objects: [
      {
        name: "redis-server",
        buildId: "ee",
        path: "/usr/bin/redis-server",
        sections: [],
        funcs: func === undefined ? [] : [{ ...func, address: 16, ranges: [[16, 26]], symbol: "redis-server:f,2" }],
        callbacks: { pre_patch: "redis-server:pre_patch" },
      },
    ],
    needs: [{ name: "memcpy", object: "redis-server", by: "exported", sympos: 0 }],
    states: [{ id: 7, version: 1 }],
  };
  expect(programExplanation(program).slice(0, 20).join("\n")).toMatchInlineSnapshot(`
    "livepatch_fix, a livepatch for the package redis 5:7.0.15-1
      compiled by gcc 12.2.0
      replaces all livepatches loaded before it; made by suture 0.1.0

    Functions patched in redis-server (/usr/bin/redis-server, build-id ee)
      f, number 2 of that name
        fs/f.c, 10 -> 12 bytes
        its code changes

    Callbacks of redis-server
      pre-patch

    System states that it changes
      7, version 1

    New functions, which only the livepatch has
      g

    Needs from the process
      memcpy of redis-server, exported"
  `);
});

test("an explanation says of each function whether it is switched while the machine stands still", () => {
  const funcs = patch.objects.flatMap((object) => object.funcs.map((func) => ({ ...func, by: "switch" as const })));
  const lines = explanation({ ...patch, objects: [{ name: "vmlinux", funcs, callbacks: [] }] });
  expect(lines).toContain("    switched with all others while the machine stands still");
});

test("what became of each piece is listed by unit", () => {
  expect(fateLines(patch)).toEqual([
    "",
    "What became of all that differs in fs/f.c",
    "  f (.text.f): replaced by ftrace, since its code changes",
    "  i (.init.text): without effect, since it ran at boot",
  ]);
});
