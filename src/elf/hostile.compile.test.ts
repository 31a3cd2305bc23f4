import * as fc from "fast-check";
import { expect, test } from "vitest";
import { SutureError } from "../lib/error.ts";
import { fromAssembly, fromC, linkedFromC, SAMPLE_C, SAMPLE_GROUPS } from "./compiled.fixture.ts";
import { SHT } from "./constants.ts";
import { contentsOf } from "./contents.ts";
import { draftOf } from "./draft.ts";
import { groupsOf } from "./groups.ts";
import { buildIdOf } from "./notes.ts";
import { readElf } from "./read.ts";
import { relocationSections, relocationsOf } from "./relocations.ts";
import { writeElf } from "./write.ts";

/** Reads everything there is to read in a file. */
function readAll(data: Buffer): void {
  const file = readElf(data, "input");
  const attempts = [
    () => groupsOf(file),
    () => buildIdOf(file),
    () => relocationSections(file),
    () => expect(writeElf(draftOf(file)).equals(data)).toBe(true),
    ...file.sections.flatMap((section) => [
      () => contentsOf(file, section),
      () => (section.type === SHT.RELA || section.type === SHT.REL) && relocationsOf(file, section),
    ]),
  ];
  for (const attempt of attempts) orSutureError(attempt);
}

function orSutureError(attempt: () => unknown): void {
  try {
    attempt();
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
    expect(error.code).toMatch(/^ELF_(TRUNCATED|CORRUPT|UNSUPPORTED|CANNOT_WRITE)$/);
    expect(error.where).toMatch(/^input/);
  }
}

const SEEDS: [string, Buffer][] = [
  ["an object", fromC(SAMPLE_C, "-ffunction-sections", "-g", "-gz")],
  ["an object with groups", fromAssembly(SAMPLE_GROUPS)],
  ["a shared library", linkedFromC("int f(void) { return 1; }", "-shared", "-fPIC", "-nostdlib")],
];

const INTERESTING = [0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0xff00, 0xffff, 0x7fffffff, 0xffffffff];

for (const [what, seed] of SEEDS) {
  test(`${what} with damaged bytes gives a result or a SutureError, and what is read is written unchanged`, () => {
    const at = fc.oneof(fc.nat(seed.length - 8), fc.nat(63), headerOffset(seed));
    const change = fc.record({
      at,
      value: fc.oneof(fc.constantFrom(...INTERESTING), fc.nat()),
      size: fc.constantFrom(1, 2, 4),
    });
    const cut = fc.option(fc.nat(seed.length), { freq: 20, nil: seed.length });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), cut, (changes, length) => {
        const data = Buffer.from(seed);
        for (const { at, value, size } of changes) data.writeUIntLE(value % 256 ** size, at, size);
        orSutureError(() => readAll(data.subarray(0, length)));
      }),
      { numRuns: 5000 },
    );
  });
}

/** An offset in the section headers, the part of the file that leads to all others. */
function headerOffset(seed: Buffer): fc.Arbitrary<number> {
  const start = Number(seed.readBigUInt64LE(40));
  return fc.integer({ min: start, max: start + 64 * seed.readUInt16LE(60) - 8 });
}

test("any bytes at all give a file or a SutureError, those without an ELF file's beginning the error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4096 }), fc.boolean(), (bytes, marked) => {
      const data = Buffer.from(bytes);
      if (marked && data.length > 6) data.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
      orSutureError(() => readAll(data));
      if (data.toString("latin1", 0, 4) !== "\x7fELF") expect(() => readElf(data, "input")).toThrow(SutureError);
    }),
  );
});
