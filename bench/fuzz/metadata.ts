import { addSection, newRelocatable } from "../../src/elf/draft.ts";
import { readElf } from "../../src/elf/read.ts";
import { writeElf } from "../../src/elf/write.ts";
import { METADATA_SECTION, type PatchMetadata } from "../../src/patch/metadata.ts";
import { readMetadata } from "../../src/patch/read-metadata.ts";
import type { FuzzParser } from "./parser.ts";

/** Typed, so that it keeps step with what is read. */
const SAMPLE: PatchMetadata = {
  version: 1,
  name: "livepatch_fix",
  tool: "suture 0.1.0",
  kernel: { release: "6.1.0-1-amd64", buildId: "00ff", vermagic: "6.1.0-1-amd64 SMP" },
  replace: true,
  objects: [
    {
      name: "vmlinux",
      buildId: "00ff",
      funcs: [{ name: "f", sympos: 1, source: "f.c", why: "changed code", size: { original: 10, patched: 12 } }],
      callbacks: [],
    },
  ],
  newFunctions: ["g"],
  needs: [{ name: "printk", object: "vmlinux", by: "exported", sympos: 0 }],
  proofs: [{ source: "f.c", object: "vmlinux", proved: 3, absent: ["w"], differing: [{ name: "x", reason: "y" }] }],
  notes: [{ code: "NOTE", text: "a note" }],
  leftOut: [
    {
      kind: "refusal",
      code: "CODE",
      what: "what",
      where: "where",
      hint: "hint",
      pieces: [{ source: "fs/f.c", section: ".init.text", name: "f" }],
    },
  ],
  fates: [{ source: "f.c", section: ".text.f", name: "f", fate: "replaced", by: "ftrace", why: "why" }],
  stays: [],
};

/** What a livepatch says of itself. */
export const metadata: FuzzParser = {
  name: "metadata",
  seeds: () => [{ data: Buffer.from(JSON.stringify(SAMPLE)) }],
  run(data) {
    const draft = newRelocatable(62, "little");
    addSection(draft, { name: METADATA_SECTION, data });
    readMetadata(readElf(writeElf(draft), "input"));
  },
};
