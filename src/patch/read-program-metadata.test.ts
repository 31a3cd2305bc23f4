import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { ElfFile, ElfSection } from "../elf/model.ts";
import { SutureError } from "../lib/error.ts";
import { METADATA_SECTION } from "./metadata.ts";
import type { ProgramMetadata } from "./program-metadata.ts";
import { readMetadata } from "./read-metadata.ts";
import { readProgramMetadata } from "./read-program-metadata.ts";

const func = {
  name: "f",
  sympos: 0,
  source: "f.c",
  why: "its code changes",
  size: { original: 10, patched: 12 },
  address: 4096,
  ranges: [
    [4096, 4106],
    [8192, 8200],
  ],
  symbol: "server:f,0",
} as const;

const metadata: ProgramMetadata = {
  version: 1,
  kind: "program",
  name: "livepatch_fix",
  tool: "suture 0.1.0",
  replace: true,
  program: { package: "server", version: "1.0-1", compiler: "gcc 12.2.0" },
  objects: [
    {
      name: "server",
      buildId: "00112233",
      path: "/usr/bin/server",
      sections: [".text.server"],
      funcs: [func],
      callbacks: { pre_patch: "server:pre_patch" },
    },
  ],
  newFunctions: [],
  needs: [{ name: "printf", object: "server", by: "exported", sympos: 0 }],
  proofs: [],
  notes: [],
  leftOut: [],
  fates: [],
  stays: [],
  states: [{ id: 7, version: 1 }],
};

/** An ELF file of which only the metadata section matters. */
function fileWith(content: string): ElfFile {
  const section = { name: METADATA_SECTION, data: Buffer.from(content) } as unknown as ElfSection;
  return { name: "a.o", sections: [section] } as unknown as ElfFile;
}

function withFunc(change: object): string {
  const objects = metadata.objects.map((object) => ({ ...object, funcs: [{ ...func, ...change }] }));
  return JSON.stringify({ ...metadata, objects });
}

test("what was written is read", () => {
  expect(readProgramMetadata(fileWith(JSON.stringify(metadata)))).toEqual(metadata);
});

test("livepatches for kernels and for programs are told apart", () => {
  const unreadable = expect.objectContaining({ code: "METADATA_UNREADABLE" });
  expect(() => readMetadata(fileWith(JSON.stringify(metadata)))).toThrow(unreadable);
  expect(() => readProgramMetadata(fileWith(JSON.stringify({ ...metadata, kind: undefined })))).toThrow(unreadable);
});

test.each([
  ["an entry outside of its function", withFunc({ address: 1 })],
  ["a range that ends before it starts", withFunc({ ranges: [[4096, 4000]] })],
  ["no range", withFunc({ ranges: [] })],
  ["an address above user space", withFunc({ address: 2 ** 60, ranges: [[2 ** 60, 2 ** 60 + 1]] })],
  ["a name with a control character", withFunc({ name: "f\u001b[2J" })],
  ["an unknown callback", JSON.stringify(metadata).replace('"pre_patch"', '"some_patch"')],
  ["two objects of one name", JSON.stringify({ ...metadata, objects: [...metadata.objects, ...metadata.objects] })],
  ["a build-id that is none", JSON.stringify(metadata).replace("00112233", "../..")],
])("%s is METADATA_UNREADABLE", (_name, content) => {
  expect(() => readProgramMetadata(fileWith(content))).toThrow(
    expect.objectContaining({ code: "METADATA_UNREADABLE" }),
  );
});

test("whatever the section holds, it is read or is METADATA_UNREADABLE", () => {
  const text = JSON.stringify(metadata);
  const damaged = fc
    .tuple(fc.nat(text.length - 1), fc.nat(20), fc.string())
    .map(([at, length, by]) => text.slice(0, at) + by + text.slice(at + length));
  fc.assert(
    fc.property(fc.oneof(fc.json(), damaged, fc.string()), (content) => {
      try {
        readProgramMetadata(fileWith(content));
      } catch (error) {
        expect(error).toBeInstanceOf(SutureError);
        expect(error).toMatchObject({ code: expect.stringMatching(/^(METADATA_UNREADABLE|NEWER_FORMAT)$/) });
      }
    }),
    { numRuns: 500 },
  );
});
