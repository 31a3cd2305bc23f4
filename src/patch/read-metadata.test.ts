import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { ElfFile, ElfSection } from "../elf/model.ts";
import { SutureError } from "../lib/error.ts";
import { METADATA_SECTION, type PatchMetadata } from "./metadata.ts";
import { readMetadata } from "./read-metadata.ts";

const metadata: PatchMetadata = {
  version: 1,
  name: "livepatch_fix",
  tool: "suture 0.1.0",
  kernel: { release: "6.1.0-56-cloud-amd64", buildId: "00ff", vermagic: "6.1.0-56-cloud-amd64 SMP " },
  replace: true,
  objects: [
    {
      name: "vmlinux",
      buildId: "00ff",
      funcs: [{ name: "f", sympos: 2, source: "fs/f.c", why: "its code changes", size: { original: 10, patched: 12 } }],
      callbacks: ["pre_patch"],
    },
  ],
  newFunctions: ["g"],
  needs: [{ name: "printk", object: "vmlinux", by: "exported", sympos: 0 }],
  proofs: [
    { source: "fs/f.c", object: "vmlinux", proved: 3, absent: ["w"], differing: [{ name: "d", reason: "other code" }] },
  ],
  notes: [{ code: "N", text: "a note" }],
  leftOut: [
    {
      kind: "refusal",
      code: "L",
      what: "what",
      where: "where",
      hint: "hint",
      pieces: [{ source: "fs/f.c", section: ".init.text", name: "f" }],
    },
  ],
  fates: [{ source: "f.c", section: ".text.f", name: "f", fate: "replaced", by: "ftrace", why: "why" }],
  stays: [],
};

/** An ELF file of which only the metadata section matters. */
function fileWith(content: string | Buffer): ElfFile {
  const section = { name: METADATA_SECTION, data: Buffer.from(content) } as unknown as ElfSection;
  return { name: "a.ko", sections: [section] } as unknown as ElfFile;
}

test("what was written is read", () => {
  expect(readMetadata(fileWith(JSON.stringify(metadata)))).toEqual(metadata);
});

test("an object without a build-id is one", () => {
  const objects = [{ name: "m", funcs: [], callbacks: [] }];
  expect(readMetadata(fileWith(JSON.stringify({ ...metadata, objects }))).objects).toEqual(objects);
});

test("a file without the section is no livepatch of ours", () => {
  const file = { name: "a.ko", sections: [] } as unknown as ElfFile;
  expect(() => readMetadata(file)).toThrow(expect.objectContaining({ code: "NOT_A_LIVEPATCH" }));
});

test.each([
  ["not JSON", "{"],
  ["no version", JSON.stringify({ ...metadata, version: undefined })],
  ["a version that is none", JSON.stringify({ ...metadata, version: 0 })],
  ["a missing part", JSON.stringify({ ...metadata, proofs: undefined })],
  ["a number that is none", JSON.stringify({ ...metadata, proofs: [{ ...metadata.proofs[0], proved: -1 }] })],
  ["deep nesting", "[".repeat(100_000)],
])("%s is METADATA_UNREADABLE, naming the file and the section", (_name, content) => {
  expect(() => readMetadata(fileWith(content))).toThrow(
    expect.objectContaining({ code: "METADATA_UNREADABLE", where: "a.ko: section .suture.metadata" }),
  );
});

test("a newer version is told as that; what else a newer suture says in this version is passed over", () => {
  const newer = JSON.stringify({ version: 2, tool: "suture 9.0.0", what: "is another thing" });
  expect(() => readMetadata(fileWith(newer))).toThrow(
    expect.objectContaining({
      code: "NEWER_FORMAT",
      exit: 2,
      message:
        "what the livepatch says of itself is of version 2, written by suture 9.0.0; this suture knows version 1",
    }),
  );
  const proofs = metadata.proofs.map((each) => ({ ...each, more: 1 }));
  expect(readMetadata(fileWith(JSON.stringify({ ...metadata, proofs, more: [] })))).toEqual(metadata);
});

test("whatever the section holds, it is read or is METADATA_UNREADABLE", () => {
  const text = JSON.stringify(metadata);
  const damaged = fc
    .tuple(fc.nat(text.length - 1), fc.nat(20), fc.string())
    .map(([at, length, by]) => text.slice(0, at) + by + text.slice(at + length));
  fc.assert(
    fc.property(fc.oneof(fc.json(), damaged, fc.string()), (content) => {
      try {
        readMetadata(fileWith(content));
      } catch (error) {
        expect(error).toBeInstanceOf(SutureError);
        expect(error).toMatchObject({ code: expect.stringMatching(/^(METADATA_UNREADABLE|NEWER_FORMAT)$/) });
      }
    }),
    { numRuns: 500 },
  );
});
