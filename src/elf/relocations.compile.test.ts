import { expect, test } from "vitest";
import { fromC, linkedFromC, readelf, SAMPLE_C } from "./compiled.fixture.ts";
import { EM } from "./constants.ts";
import { addRelocations, addSection, addSymbol, newRelocatable } from "./draft.ts";
import type { ElfFile } from "./model.ts";
import { readElf } from "./read.ts";
import { relocationSections, relocationsOf } from "./relocations.ts";
import { writeElf } from "./write.ts";

const hex = (value: bigint | number): string => value.toString(16).padStart(16, "0");

/** Offset and info of every relocation, the way `readelf -rW` prints them. */
function lines(file: ElfFile): string[] {
  return file.sections
    .filter((section) => section.type === 4)
    .flatMap((section) => relocationsOf(file, section))
    .map(({ offset, type, symbol }) => `${hex(offset)}  ${hex((BigInt(symbol) << 32n) | BigInt(type))}`);
}

test("relocations are those that readelf prints", () => {
  for (const data of [
    fromC(SAMPLE_C, "-ffunction-sections", "-g"),
    linkedFromC(`${SAMPLE_C} int elsewhere(int a) { return a; } int main(void) { return 0; }`),
  ]) {
    const printed = readelf(data, "-rW").match(/^[0-9a-f]{16} {2}[0-9a-f]{16}/gm);
    expect(printed?.length).toBeGreaterThan(5);
    expect(lines(readElf(data, "input"))).toEqual(printed);
  }
});

test("a call refers to its symbol with the addend -4", () => {
  const file = readElf(fromC("void f(void); void g(void) { f(); }", "-ffunction-sections", "-O1"), "input");
  const text = file.sections.find((section) => section.name === ".text.g");
  const [section, ...others] = (text && relocationSections(file).get(text.index)) ?? [];
  expect(others).toEqual([]);
  if (section === undefined) throw new Error(".text.g has no relocations");
  const [relocation] = relocationsOf(file, section);
  expect(file.symbols[relocation?.symbol ?? 0]?.name).toBe("f");
  expect(relocation?.addend).toBe(-4n);
});

test("a section can have several relocation sections", () => {
  const draft = newRelocatable(EM.X86_64, "little");
  const text = addSection(draft, { name: ".text", data: Buffer.alloc(16) });
  const symbol = addSymbol(draft, { name: "f", binding: 1 });
  for (const name of [".rela.text", ".klp.rela.vmlinux..text"]) {
    addRelocations(draft, { name, target: text, relocations: [{ offset: 4, type: 2, symbol, addend: 0n }] });
  }
  const file = readElf(writeElf(draft), "input");
  const names = [...relocationSections(file).values()].map((sections) => sections.map((section) => section.name));
  expect(names).toEqual([[".rela.text", ".klp.rela.vmlinux..text"]]);
});

for (const endian of ["little", "big"] as const) {
  for (const machine of [EM.MIPS, EM.AARCH64]) {
    test(`type, symbol and 64-bit addend survive on machine ${machine}, ${endian} endian`, () => {
      const draft = newRelocatable(machine, endian);
      const text = addSection(draft, { name: ".text", data: Buffer.alloc(16) });
      const symbol = addSymbol(draft, { name: "f", binding: 1 });
      const addends = [0n, -1n, 1n << 40n, -(1n << 63n), (1n << 63n) - 1n];
      const relocations = addends.map((addend) => ({ offset: 8, type: 0x0a0b0c0d, symbol, addend }));
      addRelocations(draft, { target: text, relocations });
      const data = writeElf(draft);
      const file = readElf(data, "input");
      const section = file.sections.find((each) => each.name === ".rela.text");
      if (section === undefined) throw new Error("no relocations");
      expect(relocationsOf(file, section)).toEqual(
        addends.map((addend) => ({ offset: 8, type: 0x0a0b0c0d, symbol: 1, addend })),
      );
      expect(readelf(data, "-sW")).toContain(" f\n");
    });
  }
}

test("SHT_REL has no addends", () => {
  const draft = newRelocatable(EM.X86_64, "little");
  const target = addSection(draft, { name: ".data", data: Buffer.alloc(8) });
  const symbol = addSymbol(draft, { name: "f", binding: 1 });
  const section = addRelocations(draft, { name: ".rel.data", type: 9, target });
  section.relocations = [{ offset: 0, type: 1, symbol, addend: 0n }];
  const file = readElf(writeElf(draft), "input");
  const read = file.sections.find((each) => each.name === ".rel.data");
  expect(read?.size).toBe(16);
  expect(read && relocationsOf(file, read)).toEqual([{ offset: 0, type: 1, symbol: 1, addend: 0n }]);
  section.relocations = [{ offset: 0, type: 1, symbol, addend: 8n }];
  expect(() => writeElf(draft)).toThrow(expect.objectContaining({ code: "ELF_CANNOT_WRITE" }));
});

test("a relocation outside its section or of a symbol that is not there is ELF_CORRUPT, with its place", () => {
  const file = readElf(fromC(SAMPLE_C), "input");
  const section = file.sections.find((each) => each.name === ".rela.text");
  if (section === undefined) throw new Error("no relocations");
  const damaged = (at: number, value: bigint): void => {
    const before = section.data.readBigUInt64LE(at);
    section.data.writeBigUInt64LE(value, at);
    expect(() => relocationsOf(file, section)).toThrow(
      expect.objectContaining({ code: "ELF_CORRUPT", where: expect.stringContaining(".rela.text), offset 0x18") }),
    );
    section.data.writeBigUInt64LE(before, at);
  };
  damaged(24, 1n << 20n);
  damaged(24 + 8, (1n << 60n) | 2n);
  expect(() => relocationsOf(file, { ...section, link: 1 })).toThrow(expect.objectContaining({ code: "ELF_CORRUPT" }));
  expect(() => relocationsOf(file, { ...section, entrySize: 1 })).toThrow(
    expect.objectContaining({ code: "ELF_CORRUPT" }),
  );
});
