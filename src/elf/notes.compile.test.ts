import { expect, test } from "vitest";
import { copied, fromC, linkedFromC, readelf, SAMPLE_C } from "./compiled.fixture.ts";
import { buildIdOf, notesOf } from "./notes.ts";
import { readElf } from "./read.ts";

const library = linkedFromC(SAMPLE_C, "-shared", "-fPIC", "-Wl,--build-id=sha1");
const printed = /Build ID: ([0-9a-f]{40})/.exec(readelf(library, "-nW"))?.[1];

test("the build-id is the one that readelf prints", () => {
  expect(printed).toBeDefined();
  expect(buildIdOf(readElf(library, "library"))).toBe(printed);
});

test("without sections it comes from the segments", () => {
  const bare = Buffer.from(library);
  bare.writeBigUInt64LE(0n, 40);
  bare.writeUInt16LE(0, 60);
  bare.writeUInt16LE(0, 62);
  const file = readElf(bare, "library");
  expect(file.sections).toEqual([]);
  expect(buildIdOf(file)).toBe(printed);
});

test("an object without one has none", () => {
  expect(buildIdOf(readElf(fromC(SAMPLE_C), "object"))).toBeUndefined();
  expect(buildIdOf(readElf(copied(library, "--remove-section=.note.gnu.build-id"), "library"))).toBeUndefined();
});

function note(owner: string, type: number, description: string, alignment: number, little: boolean): Buffer {
  const name = Buffer.from(`${owner}\0`);
  const start = Math.ceil((12 + name.length) / alignment) * alignment;
  const bytes = Buffer.alloc(start + Math.ceil(description.length / alignment) * alignment);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(0, name.length, little);
  view.setUint32(4, description.length, little);
  view.setUint32(8, type, little);
  name.copy(bytes, 12);
  bytes.write(description, start);
  return bytes;
}

for (const endian of ["little", "big"] as const) {
  for (const alignment of [4, 8]) {
    test(`notes aligned to ${alignment} are read, ${endian} endian`, () => {
      const little = endian === "little";
      const data = Buffer.concat([note("GNU", 3, "abcde", alignment, little), note("Linux", 0, "", alignment, little)]);
      const notes = notesOf(data, endian, alignment, { file: "input" });
      expect(notes.map(({ owner, type, description }) => [owner, type, description.toString()])).toEqual([
        ["GNU", 3, "abcde"],
        ["Linux", 0, ""],
      ]);
    });
  }
}

test("a note that goes beyond its section is ELF_CORRUPT", () => {
  const data = note("GNU", 3, "abcde", 4, true);
  for (const at of [0, 4]) {
    const damaged = Buffer.from(data);
    damaged.writeUInt32LE(0xffff_fff0, at);
    expect(() => notesOf(damaged, "little", 4, { file: "input" })).toThrow(
      expect.objectContaining({ code: "ELF_CORRUPT", where: "input, offset 0x0" }),
    );
  }
});
