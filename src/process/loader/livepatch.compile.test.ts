import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { livepatch, type Program, program } from "../../../test/fixtures/patched-program.ts";
import { SutureError } from "../../lib/error.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../lib/temp.ts";
import { sealed } from "../../patch/digest.ts";
import type { ProgramMetadata } from "../../patch/program-metadata.ts";
import { readProgramLivepatch } from "./livepatch.ts";

const SOURCE = `
#include <stdio.h>
static int counter = 5;
static __thread int mine;
__attribute__((noinline)) static int helper(int n) { counter += n; return counter; }
__attribute__((noinline)) int work(int n) { mine++; return helper(n) + mine; }
int main(int argc, char **argv) { (void)argv; return work(argc) + helper(argc); }
`;
const PATCHED = SOURCE.replace(
  "return helper(n) + mine;",
  'static int seen; printf("%d", seen++); return helper(7) * mine;',
);

let directory: TemporaryDirectory;
let original: Program;
let whole: Buffer;

beforeAll(async () => {
  directory = await temporaryDirectory();
  original = program({ directory: directory.path, name: "serve", source: SOURCE });
  whole = readFileSync(livepatch(original, PATCHED));
});

afterAll(async () => {
  await directory[Symbol.asyncDispose]();
});

function edited(edit: (metadata: ProgramMetadata) => ProgramMetadata): Buffer {
  return readFileSync(livepatch(original, PATCHED, { name: "edited", edit }));
}

test("a livepatch is read with its object's sections, relocations and entries", () => {
  const { name, objects } = readProgramLivepatch(whole, "fix.o");
  expect(name).toBe("fix");
  expect(objects).toMatchObject([
    {
      record: { name: "serve" },
      funcs: expect.arrayContaining([expect.objectContaining({ pieces: expect.anything() })]),
    },
  ]);
  const kinds = new Set(objects[0]?.relocations.map(({ symbol }) => symbol.kind));
  expect(kinds).toEqual(new Set(["own", "object", "thread", "import"]));
});

test.each<[string, (metadata: ProgramMetadata) => ProgramMetadata]>([
  ["a section that is missing", (it) => changed(it, (object) => ({ ...object, sections: [...object.sections, ".x"] }))],
  [
    "a section that belongs to no object",
    (it) => changed(it, (object) => ({ ...object, sections: object.sections.slice(1) })),
  ],
  ["another object's name", (it) => changed(it, (object) => ({ ...object, name: "other" }))],
  [
    "an entry that is none",
    (it) => changed(it, (object) => ({ ...object, funcs: object.funcs.map((func) => ({ ...func, symbol: "main" })) })),
  ],
  [
    "an original outside of its function",
    (it) => changed(it, (object) => ({ ...object, funcs: object.funcs.map((func) => ({ ...func, address: 1 })) })),
  ],
  ["a build-id that is none", (it) => changed(it, (object) => ({ ...object, buildId: "../x" }))],
  ["no object", (it) => ({ ...it, objects: [] })],
])("%s is LIVEPATCH_CORRUPT", (_what, edit) => {
  const file = edited(edit);
  expect(() => readProgramLivepatch(file, "fix.o")).toThrow(expect.objectContaining({ code: "LIVEPATCH_CORRUPT" }));
});

function changed(
  metadata: ProgramMetadata,
  change: (object: ProgramMetadata["objects"][number]) => ProgramMetadata["objects"][number],
): ProgramMetadata {
  return { ...metadata, objects: metadata.objects.map(change) };
}

test("a file that is no livepatch of ours is told so", () => {
  const code = (data: Buffer) =>
    expect(() => readProgramLivepatch(data, "fix.o")).toThrow(expect.objectContaining({ code: "NOT_A_LIVEPATCH" }));
  code(Buffer.from("text"));
  code(Buffer.alloc(0));
  code(readFileSync(`${directory.path}/serve.unit.o`));
});

test("a livepatch that was cut short or changed anywhere is read, or is LIVEPATCH_CORRUPT", () => {
  const damaged = fc.oneof(
    fc.nat(whole.length).map((length) => whole.subarray(0, length)),
    fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }).map((changes) => {
      const data = Buffer.from(whole);
      for (const [at, value] of changes) data[at] = value;
      return data;
    }),
  );
  fc.assert(
    fc.property(damaged, fc.boolean(), (data, isSealed) => {
      try {
        // What the digest would keep from the rest of the reader is damaged, too.
        readProgramLivepatch(isSealed ? resealed(data) : data, "fix.o");
      } catch (error) {
        expect(error).toBeInstanceOf(SutureError);
        expect(["LIVEPATCH_CORRUPT", "NOT_A_LIVEPATCH"]).toContain((error as SutureError).code);
      }
    }),
    { numRuns: 2000 },
  );
});

function resealed(data: Buffer): Buffer {
  try {
    return sealed(data);
  } catch {
    return data;
  }
}
