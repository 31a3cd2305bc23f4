import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  copied,
  fromAssembly,
  fromC,
  linkedFromC,
  manySections,
  readelf,
  SAMPLE_C,
  SAMPLE_GROUPS,
} from "./compiled.fixture.ts";
import { draftOf } from "./draft.ts";
import { readElf } from "./read.ts";
import { writeElf } from "./write.ts";

const rewritten = (data: Buffer): Buffer => writeElf(draftOf(readElf(data, "input")));

const MAIN = `${SAMPLE_C}\nint elsewhere(int a) { return a; }\nint main(void) { return entry(1); }`;

const OBJECTS: Record<string, () => Buffer> = {
  "an object": () => fromC(SAMPLE_C),
  "an object with a section for each function and each datum": () =>
    fromC(SAMPLE_C, "-O2", "-ffunction-sections", "-fdata-sections"),
  "an object with common symbols": () => fromC(SAMPLE_C, "-fcommon"),
  "an object with compressed debug sections": () => fromC(SAMPLE_C, "-g", "-gz"),
  "an object with .zdebug sections": () => fromC(SAMPLE_C, "-g", "-gz=zlib-gnu"),
  "an object with section groups": () => fromAssembly(SAMPLE_GROUPS, "-g"),
  "an object without symbols": () => copied(fromC(SAMPLE_C), "--strip-debug", "--remove-section=.rela*", "-S"),
  "an executable": () => linkedFromC(MAIN, "-g"),
  "a static executable": () => linkedFromC(MAIN, "-static"),
  "an executable that kept its relocations": () => linkedFromC(MAIN, "-Wl,--emit-relocs"),
  "a shared library": () => linkedFromC(SAMPLE_C, "-shared", "-fPIC"),
  "a stripped shared library": () => linkedFromC(SAMPLE_C, "-shared", "-fPIC", "-s"),
  "the debug half of an executable": () => copied(linkedFromC(MAIN, "-g"), "--only-keep-debug"),
  "an object with more than 65,280 sections": () => manySections(66_000),
};

for (const [what, make] of Object.entries(OBJECTS)) {
  test(`${what} is written as it was read`, () => {
    const data = make();
    expect(rewritten(data).equals(data)).toBe(true);
  });
}

test("the programs and libraries of this machine are written as they were read", () => {
  const isElf64 = (data: Buffer): boolean => data.length > 64 && data.readUInt32BE(0) === 0x7f454c46 && data[4] === 2;
  const directories = ["/bin", "/lib/x86_64-linux-gnu", "/usr/lib/gcc/x86_64-linux-gnu/12"];
  const files = directories.flatMap((directory) => programs(directory).slice(0, 150));
  const differing = [...files, process.execPath].filter((path) => {
    const data = readFileSync(path);
    return isElf64(data) && !rewritten(data).equals(data);
  });
  expect(files.length).toBeGreaterThan(50);
  expect(differing).toEqual([]);
});

function programs(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(directory, entry.name));
  } catch {
    return [];
  }
}

test("section headers in the middle, gaps, and bytes after the end are kept", () => {
  const data = fromC(SAMPLE_C, "-ffunction-sections");
  const [headersAt, count] = [Number(data.readBigUInt64LE(40)), data.readUInt16LE(60)];
  const headers = Buffer.from(data.subarray(headersAt, headersAt + 64 * count));
  const shift = headers.length + 40;
  for (let i = 1; i < count; i++) {
    headers.writeBigUInt64LE(headers.readBigUInt64LE(64 * i + 24) + BigInt(shift), 64 * i + 24);
  }
  const header = Buffer.from(data.subarray(0, 64));
  header.writeBigUInt64LE(72n, 40);
  const body = data.subarray(64, headersAt);
  const odd = Buffer.concat([
    header,
    Buffer.alloc(8, 0xaa),
    headers,
    Buffer.alloc(32, 0xbb),
    body,
    Buffer.from("tail"),
  ]);
  expect(rewritten(odd).equals(odd)).toBe(true);
  expect(readelf(odd, "-SW").length).toBeGreaterThan(0);
});

test("global symbols before local ones, and a wrong sh_info, are kept while nothing is edited", () => {
  const data = Buffer.from(fromC(SAMPLE_C));
  const file = readElf(data, "input");
  const table = file.sections.find((section) => section.name === ".symtab");
  if (table === undefined) throw new Error("the object has no symbols");
  const last = table.size - 24;
  const swapped = Buffer.from(table.data.subarray(24, 48));
  table.data.copy(table.data, 24, last, last + 24);
  swapped.copy(table.data, last);
  expect(readElf(data, "input").symbols[1]?.binding).not.toBe(0);
  expect(rewritten(data).equals(data)).toBe(true);
});
