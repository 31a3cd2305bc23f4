import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
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
import { EM, PT, SHF, SHN_LIVEPATCH, SHT, STB, STT } from "./constants.ts";
import { addGroup, addRelocations, addSection, addSymbol, draftOf, type ElfDraft, newRelocatable } from "./draft.ts";
import { groupsOf } from "./groups.ts";
import type { ElfFile } from "./model.ts";
import { readElf } from "./read.ts";
import { relocationsOf } from "./relocations.ts";
import { writeElf } from "./write.ts";

const drafted = (data: Buffer): ElfDraft => draftOf(readElf(data, "input"));
const refused = (text: string): unknown =>
  expect.objectContaining({ code: "ELF_CANNOT_WRITE", message: expect.stringContaining(text) });

/** A call to `callee` and a return, in .text, by a global function `f`; and a local symbol after it. */
function small(endian: "little" | "big" = "little"): ElfDraft {
  const draft = newRelocatable(endian === "little" ? EM.X86_64 : EM.S390, endian);
  const text = addSection(draft, {
    name: ".text",
    flags: SHF.ALLOC | SHF.EXECINSTR,
    alignment: 16,
    data: Buffer.from("e800000000c3", "hex"),
  });
  const callee = addSymbol(draft, { name: "callee", binding: STB.GLOBAL });
  addSymbol(draft, { name: "f", binding: STB.GLOBAL, type: STT.FUNC, size: 6n, place: text });
  addSymbol(draft, { name: "local", type: STT.FUNC, value: 5n, size: 1n, place: text });
  addRelocations(draft, { target: text, relocations: [{ offset: 1, type: 4, symbol: callee, addend: -4n }] });
  return draft;
}

/** What a file says, without the numbers that the writer chooses; one line a fact. */
function meaning(file: ElfFile): string {
  const nameOf = (index: number): string | undefined => file.sections[index]?.name;
  const symbolOf = (index: number): unknown => {
    const symbol = file.symbols[index];
    return symbol && [symbol.name, symbol.place.kind === "section" ? nameOf(symbol.place.section) : symbol.place];
  };
  const isTable = (type: number): boolean => [SHT.SYMTAB, SHT.STRTAB, SHT.SYMTAB_SHNDX].some((each) => each === type);
  const facts = {
    header: [file.header],
    sections: file.sections
      .filter((section) => !isTable(section.type))
      .map((section) => [section.name, section.type, section.flags, section.size, section.alignment]),
    contents: file.sections.filter((s) => s.type === SHT.PROGBITS).map((s) => s.data.toString("hex")),
    symbols: file.symbols.map(({ index, value, size, type, binding, visibility, other }) => [
      symbolOf(index),
      { value, size, type, binding, visibility, other },
    ]),
    relocations: file.sections
      .filter((section) => section.type === SHT.RELA)
      .map((section) => [
        nameOf(section.info),
        relocationsOf(file, section).map(({ symbol, ...rest }) => ({ ...rest, symbol: symbolOf(symbol) })),
      ]),
    groups: groupsOf(file).map(({ signature, members }) => [symbolOf(signature), members.map(nameOf)]),
  };
  const words = (_key: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}` : value);
  return Object.entries(facts)
    .flatMap(([kind, list]) => list.map((fact) => `${kind} ${JSON.stringify(fact, words)}`))
    .join("\n");
}

for (const endian of ["little", "big"] as const) {
  test(`a file from scratch satisfies readelf and is read back, ${endian} endian`, () => {
    const data = writeElf(small(endian));
    readelf(data, "-aW");
    const file = readElf(data, "input");
    expect(file.header).toMatchObject({ endian, type: 1 });
    expect(file.symbols.map((symbol) => symbol.name)).toEqual(["", "local", "callee", "f"]);
    expect(file.sections.find((section) => section.name === ".symtab")?.info).toBe(2);
    const rela = file.sections.find((section) => section.name === ".rela.text");
    expect(rela && relocationsOf(file, rela)).toEqual([{ offset: 1, type: 4, symbol: 2, addend: -4n }]);
    expect(writeElf(draftOf(file)).equals(data)).toBe(true);
  });
}

test("the same draft gives the same bytes, and writing does not change it", () => {
  const draft = small();
  const data = writeElf(draft);
  expect(writeElf(draft).equals(data)).toBe(true);
  expect(writeElf(small()).equals(data)).toBe(true);
  expect(draft.sections.length).toBe(2);
});

test("a program linked from a written object runs", () => {
  const draft = small();
  const main = draft.symbols.find((symbol) => symbol.name === "f");
  if (main !== undefined) main.name = "main";
  const directory = mkdtempSync(join(tmpdir(), "suture-elf-test-"));
  try {
    const path = (name: string): string => join(directory, name);
    writeFileSync(path("written.o"), writeElf(draft));
    writeFileSync(path("callee.o"), fromC("void exit(int); void callee(void) { exit(42); }"));
    execFileSync("gcc", ["-Wl,-z,noexecstack", path("written.o"), path("callee.o"), "-o", path("program")]);
    expect(() => execFileSync(path("program"))).toThrow(expect.objectContaining({ status: 42 }));
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("livepatch symbols and relocations are written as the kernel wants them", () => {
  const draft = small();
  const [text] = draft.sections;
  if (text === undefined) throw new Error("no .text");
  const symbol = addSymbol(draft, {
    name: ".klp.sym.vmlinux.printk,0",
    binding: STB.GLOBAL,
    place: { kind: "reserved", value: SHN_LIVEPATCH },
  });
  addRelocations(draft, {
    name: ".klp.rela.vmlinux..text",
    target: text,
    flags: SHF.RELA_LIVEPATCH | SHF.ALLOC,
    relocations: [{ offset: 1, type: 4, symbol, addend: -4n }],
  });
  const data = writeElf(draft);
  expect(readelf(data, "-sW")).toMatch(/GLOBAL DEFAULT OS \[0xff20\] \.klp\.sym\.vmlinux\.printk,0/);
  expect(readelf(data, "-SW")).toMatch(/\.klp\.rela\.vmlinux\.\.text RELA .* Ao +\d+ +1 +8/);
});

for (const [what, options, make] of [
  ["an object", "-aW", () => fromC(SAMPLE_C, "-ffunction-sections", "-g")],
  ["an object with groups", "-aW", () => fromAssembly(SAMPLE_GROUPS, "-g", "--compress-debug-sections")],
  ["an object with more than 65,280 sections", "-SsW", () => manySections(33_000, "w\\@")],
] as const) {
  test(`${what} that gets a section in front and a symbol keeps its meaning`, () => {
    const data = make();
    const draft = drafted(data);
    const added = addSection(draft, { name: ".added", data: Buffer.from("added") });
    draft.sections.unshift(...draft.sections.splice(-1));
    addSymbol(draft, { name: "added", place: added });
    const edited = writeElf(draft);
    readelf(edited, options);
    const again = draftOf(readElf(edited, "input"));
    again.sections = again.sections.filter((section) => section.name !== ".added");
    again.symbols = again.symbols.filter((symbol) => symbol.name !== "added");
    const back = readElf(writeElf(again), "input");
    expect(back.sections.length).toBe(readElf(data, "input").sections.length);
    expect(meaning(back)).toBe(meaning(readElf(data, "input")));
  });
}

test("a file with more than 65,280 sections is written from scratch", () => {
  const draft = newRelocatable(EM.X86_64, "little");
  for (let i = 0; i < 65_300; i++) addSection(draft, { name: ".s", data: Buffer.from([i & 255]) });
  const [first, last] = [draft.sections[0], draft.sections.at(-1)];
  if (first === undefined || last === undefined) throw new Error("no sections");
  addSymbol(draft, { name: "first", place: first });
  addSymbol(draft, { name: "last", place: last });
  const data = writeElf(draft);
  expect(readelf(data, "-hW")).toContain("Number of section headers:         0 (65305)");
  expect(readelf(data, "-sW")).toMatch(/ 65300 last\n/);
  const file = readElf(data, "input");
  expect(file.symbols[2]).toMatchObject({ name: "last", place: { kind: "section", section: 65_300 } });
  expect(writeElf(draftOf(file)).equals(data)).toBe(true);
});

test("more than 65,534 program headers are counted in the null section", () => {
  const draft = newRelocatable(EM.X86_64, "little");
  draft.header.type = 4;
  for (let i = 0; i < 70_000; i++) {
    const addresses = { virtualAddress: 0n, physicalAddress: 0n } as never;
    const sizes = { fileSize: 0, memorySize: 0n, alignment: 1n };
    draft.programHeaders.push({ type: PT.NULL, flags: i, offset: 0, ...sizes, ...(addresses as object) } as never);
  }
  addSection(draft, { name: ".note", data: Buffer.from("x") });
  const data = writeElf(draft);
  expect(data.readUInt16LE(56)).toBe(0xffff);
  const file = readElf(data, "input");
  expect(file.programHeaders.length).toBe(70_000);
  expect(file.programHeaders[69_999]?.flags).toBe(69_999);
  expect(writeElf(draftOf(file)).equals(data)).toBe(true);
});

test("a group is written with its signature and members", () => {
  const draft = newRelocatable(EM.X86_64, "little");
  const members = [
    addSection(draft, { name: ".text.inline", flags: SHF.ALLOC | SHF.GROUP, data: Buffer.from("c3", "hex") }),
  ];
  const signature = addSymbol(draft, { name: "inline", binding: STB.WEAK, place: members[0] ?? { kind: "absolute" } });
  addGroup(draft, { signature, members });
  const data = writeElf(draft);
  expect(readelf(data, "-gW")).toMatch(/COMDAT group section .* \[inline\] contains 1 sections:/);
});

test("a changed byte of an object changes that byte alone", () => {
  const data = fromC(SAMPLE_C);
  const draft = drafted(data);
  const text = draft.sections.find((section) => section.name === ".text");
  if (text?.kind !== "data" || text.offset === undefined) throw new Error("no .text");
  text.data = Buffer.from(text.data);
  text.data.writeUInt8(0xcc, 3);
  const expected = Buffer.from(data);
  expected.writeUInt8(0xcc, text.offset + 3);
  expect(writeElf(draft).equals(expected)).toBe(true);
});

test("a local symbol that becomes global moves behind the local ones", () => {
  const draft = drafted(fromC(SAMPLE_C, "-O0"));
  const helper = draft.symbols.find((symbol) => symbol.name === "helper");
  if (helper === undefined) throw new Error("no helper");
  helper.binding = STB.GLOBAL;
  const data = writeElf(draft);
  readelf(data, "-aW");
  const file = readElf(data, "input");
  const firstGlobal = file.symbols.findIndex((symbol) => symbol.binding !== STB.LOCAL && symbol.index > 0);
  expect(file.sections.find((section) => section.type === SHT.SYMTAB)?.info).toBe(firstGlobal);
  expect(file.symbols.slice(firstGlobal).every((symbol) => symbol.binding !== STB.LOCAL)).toBe(true);
  expect(file.symbols.findIndex((symbol) => symbol.name === "helper")).toBeGreaterThanOrEqual(firstGlobal);
});

test("names that are not UTF-8 survive an edit", () => {
  const data = fromC("int namexx(void) { return 0; }");
  const at = data.indexOf("namexx");
  data.set([0xff, 0xc3], at + 4);
  const draft = drafted(data);
  addSymbol(draft, { name: "größe" });
  const file = readElf(writeElf(draft), "input");
  expect(file.data.includes(Buffer.from([0x6e, 0x61, 0x6d, 0x65, 0xff, 0xc3, 0]))).toBe(true);
  expect(file.symbols.some((symbol) => symbol.name === "größe")).toBe(true);
});

test("a shared string table for symbols and sections stays one", () => {
  const draft = newRelocatable(EM.X86_64, "little");
  const fields = { flags: 0, address: 0n, alignment: 1, entrySize: 0, offset: undefined };
  draft.sections.push({ kind: "table", holds: "names", name: ".strtab", type: SHT.STRTAB, ...fields });
  addSymbol(draft, { name: "one", place: { kind: "absolute" } });
  const data = writeElf(draft);
  readelf(data, "-aW");
  const again = drafted(data);
  expect(writeElf(again).equals(data)).toBe(true);
  addSymbol(again, { name: "two", place: { kind: "absolute" } });
  const file = readElf(writeElf(again), "input");
  expect(file.symbols.map((symbol) => symbol.name)).toEqual(["", "one", "two"]);
  expect(file.sections.map((section) => section.name)).toEqual(["", ".strtab", ".symtab"]);
});

const program = linkedFromC(`${SAMPLE_C} int elsewhere(int a) { return a; } int main(void) { return 7; }`);

function exitStatus(data: Buffer): unknown {
  const directory = mkdtempSync(join(tmpdir(), "suture-elf-test-"));
  try {
    writeFileSync(join(directory, "program"), data, { mode: 0o755 });
    execFileSync(join(directory, "program"));
    return 0;
  } catch (error) {
    return (error as { status?: unknown }).status;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("an executable that gets a section and a symbol still runs, its segments where they were", () => {
  expect(exitStatus(program)).toBe(7);
  const draft = drafted(program);
  const added = addSection(draft, { name: ".suture.metadata", data: Buffer.from("{}") });
  addSymbol(draft, { name: "added", place: added });
  const data = writeElf(draft);
  readelf(data, "-aW");
  expect(exitStatus(data)).toBe(7);
  expect(readElf(data, "input").programHeaders).toEqual(readElf(program, "input").programHeaders);
  expect(readElf(data, "input").symbols.some((symbol) => symbol.name === "added")).toBe(true);
});

test("an executable loses sections that no segment holds, and still runs", () => {
  const draft = drafted(program);
  draft.sections = draft.sections.filter((section) => section.name !== ".comment");
  const data = writeElf(draft);
  readelf(data, "-aW");
  expect(data.includes("GCC: ")).toBe(false);
  expect(exitStatus(data)).toBe(7);
});

test("what a segment holds can change, but not grow or move", () => {
  const draft = drafted(program);
  const section = draft.sections.find((each) => each.name === ".rodata");
  if (section?.kind !== "data") throw new Error("no .rodata");
  const before = section.data;
  section.data = Buffer.alloc(before.length, 1);
  expect(writeElf(draft).length).toBe(program.length);
  section.data = Buffer.alloc(before.length + 1);
  expect(() => writeElf(draft)).toThrow(refused(".rodata cannot grow"));
  section.data = before;
  section.offset = (section.offset ?? 0) + 16;
  expect(() => writeElf(draft)).toThrow(refused(".rodata cannot move"));
});

test("an executable has no place for new loaded contents, dynamic symbols keep their sections", () => {
  const draft = drafted(program);
  addSection(draft, { name: ".new", flags: SHF.ALLOC, data: Buffer.from("x") });
  expect(() => writeElf(draft)).toThrow(refused("no segment holds the new section .new"));
  const library = drafted(linkedFromC(SAMPLE_C, "-shared", "-fPIC"));
  library.sections.unshift(...library.sections.splice(-1));
  expect(() => writeElf(library)).toThrow(refused("the dynamic symbol"));
});

test("a symbol table that moves leaves zeros behind", () => {
  const draft = drafted(program);
  const before = draft.sections.find((section) => section.name === ".symtab");
  for (let i = 0; i < 100; i++) addSymbol(draft, { name: `added_${i}`, place: { kind: "absolute" } });
  const data = writeElf(draft);
  readelf(data, "-aW");
  const after = readElf(data, "input").sections.find((section) => section.name === ".symtab");
  expect(after?.offset).toBeGreaterThanOrEqual(program.length);
  expect(data.subarray(before?.offset, (before?.offset ?? 0) + 24 * 4).every((byte) => byte === 0)).toBe(true);
  expect(exitStatus(data)).toBe(7);
});

test("a draft that refers to what it does not contain is refused", () => {
  const other = addSection(small(), { name: ".other" });
  const stray = addSymbol(small(), { name: "stray" });
  const inOther = small();
  addSymbol(inOther, { name: "misplaced", place: other });
  expect(() => writeElf(inOther)).toThrow(refused("symbol misplaced refers to section .other"));
  const toStray = small();
  const rela = toStray.sections.find((section) => section.kind === "relocations");
  rela?.relocations.push({ offset: 0, type: 1, symbol: stray, addend: 0n });
  expect(() => writeElf(toStray)).toThrow(refused("a relocation in .rela.text refers to symbol stray"));
  const twice = small();
  twice.sections.push(...twice.sections);
  expect(() => writeElf(twice)).toThrow(refused("twice"));
  const named = small();
  addSymbol(named, { name: "a\0b" });
  expect(() => writeElf(named)).toThrow(refused("NUL"));
  const reserved = small();
  addSymbol(reserved, { name: "r", place: { kind: "reserved", value: 3 } });
  expect(() => writeElf(reserved)).toThrow(refused("not reserved"));
});

test("numbers inside contents that would go stale are refused", () => {
  const data = copied(
    fromC(SAMPLE_C),
    "--add-section",
    ".llvm_addrsig=input",
    "--set-section-flags",
    ".llvm_addrsig=exclude",
  );
  const draft = drafted(data);
  const section = draft.sections.find((each) => each.name === ".llvm_addrsig");
  if (section === undefined) throw new Error("no .llvm_addrsig");
  section.type = SHT.LLVM_ADDRSIG;
  expect(() => writeElf(draft)).not.toThrow();
  draft.symbols.pop();
  for (const each of draft.sections) if (each.kind === "relocations") each.relocations = [];
  expect(() => writeElf(draft)).toThrow(refused(".llvm_addrsig counts symbols"));
});
