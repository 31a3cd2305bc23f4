import * as zlib from "node:zlib";
import { expect, test } from "vitest";
import { copied, fromC, SAMPLE_C } from "./compiled.fixture.ts";
import { EM, SHF } from "./constants.ts";
import { contentsOf, isCompressed } from "./contents.ts";
import { addSection, newRelocatable } from "./draft.ts";
import type { ElfFile } from "./model.ts";
import { readElf } from "./read.ts";
import { writeElf } from "./write.ts";

/** Debug sections by their plain names. */
function debugContents(file: ElfFile): Record<string, Buffer> {
  const debug = file.sections.filter((section) => /^\.z?debug_/.test(section.name));
  return Object.fromEntries(debug.map((section) => [section.name.replace("z", ""), contentsOf(file, section)]));
}

test("compressed debug sections have the contents of plain ones", () => {
  const source = SAMPLE_C.repeat(1);
  const plain = fromC(source, "-g");
  const expected = debugContents(readElf(plain, "plain"));
  expect(Object.keys(expected).length).toBeGreaterThan(3);
  for (const how of ["zlib-gabi", "zlib-gnu"]) {
    const packed = readElf(copied(plain, `--compress-debug-sections=${how}`), how);
    expect(packed.sections.filter(isCompressed).length).toBeGreaterThan(0);
    expect(debugContents(packed)).toEqual(expected);
  }
});

test("contents that are not compressed are the section's own bytes", () => {
  const file = readElf(fromC(SAMPLE_C), "input");
  for (const section of file.sections) expect(contentsOf(file, section)).toBe(section.data);
});

function withContents(type: number, size: bigint, packed: Buffer, endian: "little" | "big" = "little"): ElfFile {
  const header = Buffer.alloc(24);
  const view = new DataView(header.buffer, header.byteOffset, 24);
  view.setUint32(0, type, endian === "little");
  view.setBigUint64(8, size, endian === "little");
  view.setBigUint64(16, 1n, endian === "little");
  const draft = newRelocatable(EM.X86_64, endian);
  addSection(draft, { name: ".debug_info", flags: SHF.COMPRESSED, data: Buffer.concat([header, packed]) });
  return readElf(writeElf(draft), "input");
}

const debugInfo = (file: ElfFile, limits = {}): Buffer => {
  const section = file.sections.find((each) => each.name === ".debug_info");
  if (section === undefined) throw new Error("no .debug_info");
  return contentsOf(file, section, limits);
};

test("big endian compression headers are read", () => {
  const text = Buffer.from("abc".repeat(100));
  expect(debugInfo(withContents(1, 300n, zlib.deflateSync(text), "big")).equals(text)).toBe(true);
});

test("zstd is read where this Node.js has it, and named where it has not", () => {
  const text = Buffer.from("abc".repeat(100));
  const { zstdCompressSync } = zlib as { zstdCompressSync?: (data: Buffer) => Buffer };
  if (zstdCompressSync === undefined) {
    const file = withContents(2, 300n, text);
    expect(() => debugInfo(file)).toThrow(expect.objectContaining({ code: "ELF_UNSUPPORTED" }));
  } else {
    expect(debugInfo(withContents(2, 300n, zstdCompressSync(text))).equals(text)).toBe(true);
  }
});

test("empty contents can be compressed", () => {
  expect(debugInfo(withContents(1, 0n, zlib.deflateSync(Buffer.alloc(0)))).length).toBe(0);
});

test("what grows too much is refused before it is decompressed", () => {
  const bomb = zlib.deflateSync(Buffer.alloc(64 << 20));
  const refused = expect.objectContaining({ code: "ELF_CORRUPT", where: "input, section 1 (.debug_info)" });
  expect(() => debugInfo(withContents(1, 64n << 20n, bomb))).toThrow(refused);
  expect(() => debugInfo(withContents(1, 1n << 50n, bomb))).toThrow(refused);
  expect(() => debugInfo(withContents(1, 1000n, bomb))).toThrow(refused);
  expect(debugInfo(withContents(1, 64n << 20n, bomb), { ratio: 2000 }).length).toBe(64 << 20);
});

test("damaged contents are refused, with the section", () => {
  const text = Buffer.from("abc".repeat(100));
  const packed = zlib.deflateSync(text);
  const refused = expect.objectContaining({ code: "ELF_CORRUPT", where: "input, section 1 (.debug_info)" });
  expect(() => debugInfo(withContents(1, 300n, packed.subarray(0, -6)))).toThrow(refused);
  expect(() => debugInfo(withContents(1, 301n, packed))).toThrow(refused);
  expect(() => debugInfo(withContents(1, 299n, packed))).toThrow(refused);
  expect(() => debugInfo(withContents(1, 300n, Buffer.from("nonsense")))).toThrow(refused);
  expect(() => debugInfo(withContents(7, 300n, packed))).toThrow(expect.objectContaining({ code: "ELF_UNSUPPORTED" }));
  const draft = newRelocatable(EM.X86_64, "little");
  addSection(draft, { name: ".debug_info", flags: SHF.COMPRESSED, data: Buffer.alloc(23) });
  expect(() => debugInfo(readElf(writeElf(draft), "input"))).toThrow(refused);
});
