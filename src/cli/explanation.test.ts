import { expect, test } from "vitest";
import type { PatchMetadata } from "../patch/metadata.ts";
import { explanation } from "./explanation.ts";

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
  leftOut: [{ kind: "refusal", code: "INIT", what: "init text changes", where: "fs/f.c: init", hint: "nothing" }],
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

    Notes
      NEW_EXPORT: a note

    Left out, because no running code is touched by it
      INIT: init text changes
        fs/f.c: init
        nothing"
  `);
});

test("a heading without anything below it is left out", () => {
  const bare = { ...patch, objects: [], newFunctions: [], needs: [], proofs: [], notes: [], leftOut: [] };
  expect(explanation(bare)).toHaveLength(4);
});

test("names from a hostile file cannot reach the terminal", () => {
  const hostile = { ...patch, newFunctions: ["\x1b[2Jgone"] };
  expect(explanation(hostile).join("\n")).not.toContain("\x1b");
});
