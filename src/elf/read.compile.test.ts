import { expect, test } from "vitest";
import {
  fromAssembly,
  fromC,
  linkedFromC,
  manySections,
  readelf,
  SAMPLE_C,
  SAMPLE_GROUPS,
} from "./compiled.fixture.ts";
import { ET, PT, SHN, STB, STT } from "./constants.ts";
import type { ElfFile, SymbolPlace } from "./model.ts";
import { readElf } from "./read.ts";

const TYPES = ["NOTYPE", "OBJECT", "FUNC", "SECTION", "FILE", "COMMON", "TLS"];
const BINDINGS: Record<number, string> = { 0: "LOCAL", 1: "GLOBAL", 2: "WEAK", 10: "UNIQUE" };
const VISIBILITIES = ["DEFAULT", "INTERNAL", "HIDDEN", "PROTECTED"];

function placeWord(place: SymbolPlace): string {
  switch (place.kind) {
    case "section":
      return String(place.section);
    case "reserved":
      return `OS [0x${place.value.toString(16)}]`;
    default:
      return { undefined: "UND", absolute: "ABS", common: "COM" }[place.kind];
  }
}

/** The symbols the way `readelf -sW` prints them, in columns joined by one space. */
function symbolLines(file: ElfFile): string[] {
  return file.symbols.map((symbol) => {
    const { index, value, size, type, binding, visibility, place, name } = symbol;
    const section = type === STT.SECTION && place.kind === "section" ? file.sections[place.section]?.name : undefined;
    const columns = [
      `${index}:`,
      value.toString(16).padStart(16, "0"),
      size >= 100_000n ? `0x${size.toString(16)}` : size,
      TYPES[type],
      BINDINGS[binding],
      VISIBILITIES[visibility],
      placeWord(place),
      section ?? name,
    ];
    return columns.join(" ").trim();
  });
}

function readelfSymbolLines(data: Buffer): string[] {
  const lines = readelf(data, "-sW", "--sym-base=10").split("\n");
  const start = lines.findIndex((line) => line.includes("'.symtab'"));
  return lines
    .slice(start + 2)
    .filter((line) => /^\s*\d+: /.test(line))
    .map((line) => line.trim().replace(/\s+/g, " "));
}

for (const [what, data] of [
  ["an object", () => fromC(SAMPLE_C, "-ffunction-sections", "-fcommon")],
  ["an object with groups", () => fromAssembly(SAMPLE_GROUPS)],
  ["a shared library", () => linkedFromC(SAMPLE_C, "-shared", "-fPIC")],
  ["an object with more than 65,280 sections", () => manySections(66_000)],
] as const) {
  test(`the symbols of ${what} are those that readelf prints`, () => {
    const bytes = data();
    const lines = symbolLines(readElf(bytes, "input"));
    expect(lines.length).toBeGreaterThan(5);
    expect(lines).toEqual(readelfSymbolLines(bytes));
  });
}

test("the sections are those that readelf prints", () => {
  const data = fromC(SAMPLE_C, "-ffunction-sections", "-g");
  const { sections } = readElf(data, "input");
  const table = readelf(data, "-SW");
  const printed = [...table.matchAll(/^ {2}\[ *(\d+)\] (\S*) +([A-Z_]+) +([0-9a-f]{16}) ([0-9a-f]+) ([0-9a-f]+)/gm)];
  expect(printed.length).toBe(sections.length);
  for (const [, index, name, , address, offset, size] of printed.slice(1)) {
    expect(sections[Number(index)]).toMatchObject({
      name,
      address: BigInt(`0x${address}`),
      offset: Number(`0x${offset}`),
      size: Number(`0x${size}`),
    });
  }
  const text = sections.find((section) => section.name === ".text.entry");
  expect(text?.data.buffer).toBe(data.buffer);
});

test("SHT_NOBITS has a size and no bytes", () => {
  const file = readElf(fromC("char big[1 << 20];"), "input");
  const bss = file.sections.find((section) => section.name === ".bss");
  expect(bss?.size).toBe(1 << 20);
  expect(bss?.data.length).toBe(0);
});

test("the program headers and the header of an executable are read", () => {
  const file = readElf(linkedFromC("int main(void) { return 0; }"), "input");
  expect(file.header).toMatchObject({ endian: "little", type: ET.DYN, machine: 62 });
  expect(file.header.entry).toBeGreaterThan(0n);
  const interpreter = file.programHeaders.find((header) => header.type === PT.INTERP);
  const end = (interpreter?.offset ?? 0) + (interpreter?.fileSize ?? 0);
  expect(file.data.toString("latin1", interpreter?.offset, end)).toMatch(/^\/lib.*\0$/);
  expect(file.dynamicSymbols.find((s) => s.name.startsWith("__libc_start_main"))).toMatchObject({
    place: { kind: "undefined" },
    binding: STB.GLOBAL,
  });
});

test("a name is read as UTF-8", () => {
  const file = readElf(fromC("int größe; int 数;"), "input");
  expect(file.symbols.map((symbol) => symbol.name)).toEqual(expect.arrayContaining(["größe", "数"]));
});

const sample = fromC(SAMPLE_C);
const sectionHeader = (data: Buffer, index: number): number => Number(data.readBigUInt64LE(40)) + 64 * index;
const indexOf = (name: string): number => readElf(sample, "sample").sections.findIndex((s) => s.name === name);

/** Each damage to a sound object, and the error it must lead to. */
const DAMAGES: [string, string, string, (data: Buffer) => Buffer | undefined][] = [
  ["an empty file", "ELF_UNSUPPORTED", "input", () => Buffer.alloc(0)],
  ["a text file", "ELF_UNSUPPORTED", "input", () => Buffer.from("#!/bin/sh\n".repeat(20))],
  ["a file cut off in the header", "ELF_TRUNCATED", "input", (data) => data.subarray(0, 40)],
  ["a file cut off in the section headers", "ELF_TRUNCATED", "offset 0x28", (data) => data.subarray(0, -1)],
  ["a 32-bit file", "ELF_UNSUPPORTED", "offset 0x4", (data) => void data.writeUInt8(1, 4)],
  ["a third byte order", "ELF_CORRUPT", "offset 0x5", (data) => void data.writeUInt8(3, 5)],
  ["a huge section count", "ELF_TRUNCATED", "offset 0x28", (data) => void data.writeUInt16LE(0xfefe, 60)],
  [
    "a huge extended section count",
    "ELF_TRUNCATED",
    "offset 0x28",
    (data) => {
      data.writeUInt16LE(0, 60);
      data.writeBigUInt64LE(1n << 62n, sectionHeader(data, 0) + 32);
    },
  ],
  ["names in a section that is not there", "ELF_CORRUPT", "offset 0x3e", (data) => void data.writeUInt16LE(999, 62)],
  [
    "a section beyond the end",
    "ELF_TRUNCATED",
    "(.text)",
    (data) => void data.writeBigUInt64LE(1n << 40n, sectionHeader(data, indexOf(".text")) + 32),
  ],
  [
    "a section whose end wraps around",
    "ELF_CORRUPT",
    "(.text)",
    (data) => void data.writeBigUInt64LE((1n << 64n) - 16n, sectionHeader(data, indexOf(".text")) + 24),
  ],
  [
    "two sections with the same bytes",
    "ELF_CORRUPT",
    "section",
    (data) =>
      void data.writeBigUInt64LE(data.readBigUInt64LE(sectionHeader(data, 1) + 24), sectionHeader(data, 2) + 24),
  ],
  [
    "a section over the section headers",
    "ELF_CORRUPT",
    "section",
    (data) => {
      const at = sectionHeader(data, indexOf(".shstrtab"));
      data.writeBigUInt64LE(data.readBigUInt64LE(40), at + 24);
    },
  ],
  [
    "a section name outside the names",
    "ELF_CORRUPT",
    `section ${indexOf(".shstrtab")}, offset 0xffff`,
    (data) => void data.writeUInt32LE(0xffff, sectionHeader(data, 1)),
  ],
  [
    "a symbol name outside the names",
    "ELF_CORRUPT",
    "(.strtab), offset 0xffffffff",
    (data) => {
      const table = readElf(data, "sample").sections[indexOf(".symtab")];
      table?.data.writeUInt32LE(0xffff_ffff, 24);
    },
  ],
  [
    "a symbol name without an end",
    "ELF_CORRUPT",
    "(.strtab)",
    (data) => {
      const names = readElf(data, "sample").sections[indexOf(".strtab")];
      names?.data.writeUInt8(65, names.size - 1);
    },
  ],
  [
    "a symbol in a section that is not there",
    "ELF_CORRUPT",
    "(.symtab), offset 0x18",
    (data) => void readElf(data, "sample").sections[indexOf(".symtab")]?.data.writeUInt16LE(0xfe00, 24 + 6),
  ],
  [
    "an extended section index without a table of them",
    "ELF_CORRUPT",
    "(.symtab), offset 0x18",
    (data) => void readElf(data, "sample").sections[indexOf(".symtab")]?.data.writeUInt16LE(SHN.XINDEX, 24 + 6),
  ],
  [
    "a symbol table whose names are itself",
    "ELF_CORRUPT",
    "(.symtab)",
    (data) => void data.writeUInt32LE(indexOf(".symtab"), sectionHeader(data, indexOf(".symtab")) + 40),
  ],
  [
    "symbols of another size",
    "ELF_CORRUPT",
    "(.symtab)",
    (data) => void data.writeBigUInt64LE(0n, sectionHeader(data, indexOf(".symtab")) + 56),
  ],
];

for (const [what, code, where, damage] of DAMAGES) {
  test(`${what} is ${code}, with the place`, () => {
    const data = Buffer.from(sample);
    const damaged = damage(data) ?? data;
    expect(() => readElf(damaged, "input")).toThrow(
      expect.objectContaining({ name: "SutureError", code, where: expect.stringContaining(where) }),
    );
  });
}

test("names that overlap without end are refused before they cost anything", () => {
  const count = 60_000;
  const names = Buffer.alloc(4 << 20, 65);
  names.writeUInt8(0, 0);
  names.writeUInt8(0, names.length - 1);
  const symbols = Buffer.alloc(24 * count);
  for (let i = 1; i < count; i++) symbols.writeUInt32LE(i, 24 * i);
  const headers = Buffer.alloc(64 * 3);
  const at = 64 + names.length + symbols.length;
  headers.writeUInt32LE(2, 64 + 4);
  headers.writeBigUInt64LE(BigInt(64 + names.length), 64 + 24);
  headers.writeBigUInt64LE(BigInt(symbols.length), 64 + 32);
  headers.writeUInt32LE(2, 64 + 40);
  headers.writeBigUInt64LE(24n, 64 + 56);
  headers.writeUInt32LE(3, 128 + 4);
  headers.writeBigUInt64LE(64n, 128 + 24);
  headers.writeBigUInt64LE(BigInt(names.length), 128 + 32);
  const header = Buffer.from(sample.subarray(0, 64));
  header.writeBigUInt64LE(BigInt(at), 40);
  header.writeUInt16LE(3, 60);
  header.writeUInt16LE(0, 62);
  const hostile = Buffer.concat([header, names, symbols, headers]);
  expect(() => readElf(hostile, "input")).toThrow(expect.objectContaining({ code: "ELF_CORRUPT" }));
});
