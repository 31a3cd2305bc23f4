import { RECORD, SHF, SHT } from "./constants.ts";
import type { ElfDraft, TableSection } from "./draft.ts";
import { cannotWrite } from "./fault.ts";
import { readHeader } from "./header.ts";
import type { ElfSection } from "./model.ts";
import { type Numbering, sameList } from "./numbering.ts";
import { type NameWriter, nameWriter } from "./strings.ts";
import { wordsOf } from "./words.ts";
import { encodeSymbols, symbolsUnedited } from "./write-symbols.ts";

/** The tables that the writer fills, and where in them the section names are. */
export interface WrittenTables {
  bytes(holds: TableSection["holds"]): Buffer;
  /** The link and info that the table had, where it is written as it was. */
  kept(holds: TableSection["holds"]): { readonly link: number; readonly info: number } | undefined;
  /** sh_name of `numbering.sections[i]`. */
  readonly sectionNames: readonly number[];
}

/**
 * Symbols and names that are as they were in the file they came from keep
 * their bytes, whatever odd order or sharing of names that file has.
 */
export function writeTables(draft: ElfDraft, numbering: Numbering): WrittenTables {
  const shared = numbering.tables.has("names");
  const symbolNames = shared ? "names" : "symbolNames";
  const sectionNames = shared ? "names" : "sectionNames";
  let keepSymbols =
    originTable(draft, "symbols") !== undefined &&
    originTable(draft, symbolNames) !== undefined &&
    symbolsUnedited(draft, numbering);
  let keepNames =
    (originTable(draft, sectionNames) !== undefined) === numbering.tables.has(sectionNames) &&
    sectionNamesUnedited(draft, numbering);
  if (shared) {
    keepSymbols &&= keepNames || !numbering.tables.has("symbols");
    keepNames &&= keepSymbols;
  }

  const bytes = new Map<TableSection["holds"], Buffer>();
  const keep = (holds: TableSection["holds"]): void => {
    const table = originTable(draft, holds);
    if (table !== undefined) bytes.set(holds, table.data);
  };
  const forSymbols = newNames(draft, numbering, symbolNames);
  const forSections = shared ? forSymbols : newNames(draft, numbering, sectionNames);
  let offsets: number[];
  try {
    if (keepSymbols) for (const holds of ["symbols", "symbolSections", symbolNames] as const) keep(holds);
    else if (numbering.tables.has("symbols")) {
      const { symbols, sections } = encodeSymbols(draft, numbering, forSymbols);
      bytes.set("symbols", symbols).set("symbolSections", sections);
    }
    if (keepNames) keep(sectionNames);
    offsets = keepNames
      ? originNameOffsets(draft)
      : numbering.sections.map((section) => forSections.place(section.name));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw cannotWrite({ file: draft.name }, error.message, "take the NUL out of the name");
  }
  if (!bytes.has(symbolNames)) bytes.set(symbolNames, forSymbols.bytes());
  if (!bytes.has(sectionNames)) bytes.set(sectionNames, forSections.bytes());
  return {
    bytes: (holds) => bytes.get(holds) ?? Buffer.alloc(0),
    kept(holds) {
      const table = originTable(draft, holds);
      return table !== undefined && bytes.get(holds) === table.data ? table : undefined;
    },
    sectionNames: offsets,
  };
}

/** The table as it was in the file that the draft was made from. */
function originTable(draft: ElfDraft, holds: TableSection["holds"]): ElfSection | undefined {
  const index = draft.origin?.sections.findIndex((s) => s.kind === "table" && s.holds === holds) ?? -1;
  return index < 0 ? undefined : draft.origin?.file.sections[index + 1];
}

function sectionNamesUnedited(draft: ElfDraft, numbering: Numbering): boolean {
  const before = draft.origin?.file.sections;
  return (
    sameList(numbering.sections, draft.origin?.sections) &&
    numbering.sections.every((section, i) => section.name === before?.[i + 1]?.name)
  );
}

function originNameOffsets(draft: ElfDraft): number[] {
  const file = draft.origin?.file;
  if (file === undefined) return [];
  const { header, sections } = readHeader(file.data, file.name);
  const words = wordsOf(header.endian);
  return file.sections
    .slice(1)
    .map(({ index }) => words.u32(file.data, sections.offset + index * RECORD.SECTION_HEADER));
}

/** A string table that others take names from too, by offset, only grows. */
function newNames(draft: ElfDraft, numbering: Numbering, holds: TableSection["holds"]): NameWriter {
  const table = numbering.tables.get(holds);
  const before = originTable(draft, holds);
  if (table === undefined || before === undefined) return nameWriter();
  const others = numbering.sections.some((s) => s.kind === "data" && s.link === table);
  return others || (table.flags & SHF.ALLOC) !== 0 ? nameWriter(before.data) : nameWriter();
}

/** Contents with symbol or section numbers in them that the writer does not know how to renumber. */
export function refuseStaleNumbers(draft: ElfDraft, numbering: Numbering): void {
  const { origin } = draft;
  if (origin === undefined) return;
  const place = { file: draft.name };
  const sameSymbols = sameList(numbering.symbols, origin.symbols);
  for (const section of numbering.sections) {
    if (!sameSymbols && section.type === SHT.LLVM_ADDRSIG) {
      const what = `${section.name} counts symbols that have other numbers now`;
      throw cannotWrite(place, what, "remove the section");
    }
  }
  const moved = new Map<number, boolean>();
  for (const { name, place: where } of origin.file.dynamicSymbols) {
    if (where.kind !== "section") continue;
    const { section } = where;
    if (!moved.has(section)) moved.set(section, numbering.sections[section - 1] !== origin.sections[section - 1]);
    if (moved.get(section)) {
      const what = `the dynamic symbol ${name} is in section ${section}, which has another number now`;
      throw cannotWrite(place, what, "keep the sections with dynamic symbols where they are in the list");
    }
  }
}
