import { ET, GRP, RECORD, SHF, SHT, STB, STT, STV } from "./constants.ts";
import { corrupt } from "./fault.ts";
import { groupOf } from "./groups.ts";
import { readHeader } from "./header.ts";
import type { ElfFile, ElfHeader, ElfSection, ElfSymbol, ProgramHeader } from "./model.ts";
import { relocationsOf } from "./relocations.ts";

/**
 * An ELF file that can be edited. Sections and symbols are known by identity
 * and not by number; the writer numbers them. The null section and the null
 * symbol are not listed.
 */
export interface ElfDraft {
  /** For messages. */
  name: string;
  header: Mutable<ElfHeader>;
  programHeaders: Mutable<ProgramHeader>[];
  /** In the order of the section headers. Tables that are missing are added at the end by the writer. */
  sections: DraftSection[];
  /** In any order: the writer puts local symbols first and keeps the order otherwise. */
  symbols: DraftSymbol[];
  /** What the draft was made from. Not to be edited. */
  readonly origin: DraftOrigin | undefined;
}

/**
 * The file that a draft was made from, and its parts as they were then: what is still
 * the same keeps its place and its number.
 */
export interface DraftOrigin {
  readonly file: ElfFile;
  /** `sections[i]` is the file's section i + 1; `symbols[i]` its symbol i + 1. */
  readonly sections: readonly DraftSection[];
  readonly symbols: readonly DraftSymbol[];
}

/** A section by what the writer has to do with it: the numbers in relocations, groups and tables are the writer's. */
export type DraftSection = DataSection | RelocationSection | GroupSection | TableSection;

interface DraftSectionFields {
  name: string;
  /** SHT_* */
  type: number;
  /** SHF_* */
  flags: number;
  address: bigint;
  alignment: number;
  entrySize: number;
  /** A place in the file, for files with segments; a relocatable file is laid out by the writer. */
  offset: number | undefined;
}

/** Contents that the writer takes as they are. */
export interface DataSection extends DraftSectionFields {
  kind: "data";
  /** Empty for SHT_NOBITS. */
  data: Buffer;
  /** In memory, bytes; read for SHT_NOBITS only. */
  size: number;
  link: DraftSection | number;
  info: DraftSection | number;
}

/** Relocations of one section against .symtab. A section can have several such sections. */
export interface RelocationSection extends DraftSectionFields {
  kind: "relocations";
  target: DraftSection;
  relocations: DraftRelocation[];
}

/** One relocation of the section that `RelocationSection.target` names; `offset` is in bytes from its start. */
export interface DraftRelocation {
  offset: number;
  /** R_* */
  type: number;
  /** `undefined` is the null symbol. */
  symbol: DraftSymbol | undefined;
  /** Must be 0 in a section of type SHT_REL. */
  addend: bigint;
}

/** A section group (COMDAT or not): the linker keeps or drops its members together. */
export interface GroupSection extends DraftSectionFields {
  kind: "group";
  signature: DraftSymbol;
  /** GRP_* */
  groupFlags: number;
  members: DraftSection[];
}

/** A table that the writer fills: it only has a place among the sections. */
export interface TableSection extends DraftSectionFields {
  kind: "table";
  /** `names`: one string table for symbols and sections both; `symbolSections`: SHT_SYMTAB_SHNDX. */
  holds: "symbols" | "symbolNames" | "sectionNames" | "names" | "symbolSections";
}

/** A symbol of .symtab; its number is the writer's. */
export interface DraftSymbol {
  name: string;
  value: bigint;
  size: bigint;
  /** STT_* */
  type: number;
  /** STB_* */
  binding: number;
  /** STV_* */
  visibility: number;
  /** st_other >> 2 */
  other: number;
  place: DraftPlace;
}

/** Where a symbol is defined, if it is. */
export type DraftPlace =
  | DraftSection
  | { readonly kind: "undefined" }
  | { readonly kind: "absolute" }
  | { readonly kind: "common" }
  /** For instance SHN_LIVEPATCH. */
  | { readonly kind: "reserved"; readonly value: number };

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** An empty relocatable file for a machine (EM_*). */
export function newRelocatable(machine: number, endian: "little" | "big", name = "new object"): ElfDraft {
  const header = { endian, osAbi: 0, abiVersion: 0, type: ET.REL, machine, entry: 0n, flags: 0 };
  return {
    name,
    header: header as ElfHeader,
    programHeaders: [],
    sections: [],
    symbols: [],
    origin: undefined,
  };
}

/** Adds a section with contents; type SHT_PROGBITS, no flags, alignment 1 unless given. */
export function addSection(
  draft: ElfDraft,
  section: { name: string } & Partial<Omit<DataSection, "kind">>,
): DataSection {
  const added: DataSection = {
    kind: "data",
    type: SHT.PROGBITS,
    flags: 0,
    address: 0n,
    alignment: 1,
    entrySize: 0,
    offset: undefined,
    data: Buffer.alloc(0),
    size: 0,
    link: 0,
    info: 0,
    ...section,
  };
  draft.sections.push(added);
  return added;
}

/** Adds a SHT_RELA section, by default `.rela<target>` with the flag SHF_INFO_LINK. */
export function addRelocations(
  draft: ElfDraft,
  section: { target: DraftSection } & Partial<Omit<RelocationSection, "kind">>,
): RelocationSection {
  const added: RelocationSection = {
    kind: "relocations",
    name: `.rela${section.target.name}`,
    type: SHT.RELA,
    flags: SHF.INFO_LINK,
    address: 0n,
    alignment: 8,
    entrySize: section.type === SHT.REL ? RECORD.REL : RECORD.RELA,
    offset: undefined,
    relocations: [],
    ...section,
  };
  draft.sections.push(added);
  return added;
}

/** Adds a section group; its members need the flag SHF_GROUP. */
export function addGroup(
  draft: ElfDraft,
  group: { signature: DraftSymbol; members: DraftSection[] } & Partial<Omit<GroupSection, "kind">>,
): GroupSection {
  const added: GroupSection = {
    kind: "group",
    name: ".group",
    type: SHT.GROUP,
    flags: 0,
    address: 0n,
    alignment: 4,
    entrySize: 4,
    offset: undefined,
    groupFlags: GRP.COMDAT,
    ...group,
  };
  draft.sections.push(added);
  return added;
}

/** Adds a symbol; local, of no type, value and size 0, undefined unless given. */
export function addSymbol(draft: ElfDraft, symbol: { name: string } & Partial<DraftSymbol>): DraftSymbol {
  const added: DraftSymbol = {
    value: 0n,
    size: 0n,
    type: STT.NOTYPE,
    binding: STB.LOCAL,
    visibility: STV.DEFAULT,
    other: 0,
    place: { kind: "undefined" },
    ...symbol,
  };
  draft.symbols.push(added);
  return added;
}

/**
 * A draft of a file that was read. Contents are views of the file: replace
 * `data`, do not write into it. Written unedited, the draft gives the same bytes.
 */
export function draftOf(file: ElfFile): ElfDraft {
  const tables = tablesOf(file);
  const sections = file.sections.slice(1).map((section) => sectionOf(section, tables));
  const symbols = file.symbols.slice(1).map((symbol) => symbolOf(symbol, sections));
  for (const section of file.sections) resolve(file, section, sections, symbols);
  return {
    name: file.name,
    header: { ...file.header },
    programHeaders: file.programHeaders.map((header) => ({ ...header })),
    sections: [...sections],
    symbols: [...symbols],
    origin: { file, sections, symbols },
  };
}

function tablesOf(file: ElfFile): Map<number, TableSection["holds"]> {
  const tables = new Map<number, TableSection["holds"]>();
  const sectionNames = readHeader(file.data, file.name).sections.names;
  if (sectionNames !== 0) tables.set(sectionNames, "sectionNames");
  const symbols = file.sections.find((section) => section.type === SHT.SYMTAB);
  if (symbols === undefined) return tables;
  tables.set(symbols.index, "symbols");
  tables.set(symbols.link, symbols.link === sectionNames ? "names" : "symbolNames");
  for (const section of file.sections) {
    if (section.type === SHT.SYMTAB_SHNDX && section.link === symbols.index) {
      tables.set(section.index, "symbolSections");
    }
  }
  return tables;
}

function sectionOf(section: ElfSection, tables: ReadonlyMap<number, TableSection["holds"]>): DraftSection {
  const { name, type, flags, address, alignment, entrySize, offset } = section;
  const fields = { name, type, flags, address, alignment, entrySize, offset };
  const holds = tables.get(section.index);
  if (holds !== undefined) return { kind: "table", ...fields, holds };
  const { size, link, info, data } = section;
  const contents: DataSection = { kind: "data", ...fields, data, size, link, info };
  if (tables.get(link) !== "symbols") return contents;
  // What these refer to is filled in by resolve(), once every section and symbol has its draft.
  if ((type === SHT.RELA || type === SHT.REL) && info !== 0) {
    return { kind: "relocations", ...fields, target: contents, relocations: [] };
  }
  if (type === SHT.GROUP) {
    return { kind: "group", ...fields, signature: NULL_SYMBOL, groupFlags: 0, members: [] };
  }
  return contents;
}

const NULL_SYMBOL: DraftSymbol = {
  name: "",
  value: 0n,
  size: 0n,
  type: 0,
  binding: 0,
  visibility: 0,
  other: 0,
  place: { kind: "undefined" },
};

function symbolOf(symbol: ElfSymbol, sections: readonly DraftSection[]): DraftSymbol {
  const { name, value, size, type, binding, visibility, other = 0, place } = symbol;
  const section = place.kind === "section" ? sections[place.section - 1] : undefined;
  return {
    name,
    value,
    size,
    type,
    binding,
    visibility,
    other,
    place: section ?? (place as Exclude<typeof place, { kind: "section" }>),
  };
}

/** Replaces numbers by what they stand for. */
function resolve(
  file: ElfFile,
  from: ElfSection,
  sections: readonly DraftSection[],
  symbols: readonly DraftSymbol[],
): void {
  const at = (index: number): DraftSection | number => sections[index - 1] ?? index;
  const draft = sections[from.index - 1];
  switch (draft?.kind) {
    case "data": {
      const linked = from.type === SHT.RELA || from.type === SHT.REL;
      draft.link = at(from.link);
      if (linked || (from.flags & SHF.INFO_LINK) !== 0) draft.info = at(from.info);
      return;
    }
    case "relocations": {
      const target = sections[from.info - 1];
      if (target === undefined) {
        throw corrupt({ file: file.name, section: from }, `relocations for section ${from.info}, which does not exist`);
      }
      draft.target = target;
      draft.relocations = relocationsOf(file, from).map(({ offset, type, symbol, addend }) => ({
        offset,
        type,
        symbol: symbols[symbol - 1],
        addend,
      }));
      return;
    }
    case "group": {
      const group = groupOf(file, from);
      draft.signature = symbols[group.signature - 1] ?? NULL_SYMBOL;
      draft.groupFlags = group.flags;
      draft.members = group.members.flatMap((index) => sections[index - 1] ?? []);
      return;
    }
  }
}
