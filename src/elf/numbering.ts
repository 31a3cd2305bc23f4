import { RECORD, SHN, SHT, STB } from "./constants.ts";
import type { DraftSection, DraftSymbol, ElfDraft, TableSection } from "./draft.ts";
import { cannotWrite } from "./fault.ts";

/** The order and the numbers that the parts of a draft get in the file. */
export interface Numbering {
  /** Without the null section: `sections[i]` becomes section i + 1. */
  readonly sections: readonly DraftSection[];
  /** Without the null symbol, local symbols first: `symbols[i]` becomes symbol i + 1. */
  readonly symbols: readonly DraftSymbol[];
  readonly localCount: number;
  readonly tables: ReadonlyMap<TableSection["holds"], TableSection>;
  /** Throws ELF_CANNOT_WRITE for what is not in the draft; `user` is what refers to it. */
  sectionIndex(section: DraftSection, user: string): number;
  symbolIndex(symbol: DraftSymbol | undefined, user: string): number;
}

/**
 * Decides the order and leaves the draft as it is, but for tables that it lacks, which
 * are made. Throws `ELF_CANNOT_WRITE` for a section or symbol that is in it twice.
 */
export function numberParts(draft: ElfDraft): Numbering {
  const place = { file: draft.name };
  const { sections, tables } = withTables(draft);
  const sectionNumbers = numbers(sections);
  const locals = draft.symbols.filter((symbol) => symbol.binding === STB.LOCAL);
  const others = draft.symbols.filter((symbol) => symbol.binding !== STB.LOCAL);
  // A file that was read may have them in another order; unedited, it keeps it.
  const kept = sameList(draft.symbols, draft.origin?.symbols) && sameBindings(draft);
  const symbols = kept ? draft.symbols : [...locals, ...others];
  const symbolNumbers = numbers(symbols);
  if (sectionNumbers.size !== sections.length || symbolNumbers.size !== symbols.length) {
    throw cannotWrite(place, "a section or symbol is in the draft twice", "add each of them once");
  }
  return {
    sections,
    symbols,
    localCount: locals.length,
    tables,
    sectionIndex(section, user) {
      const number = sectionNumbers.get(section);
      if (number !== undefined) return number;
      const what = `${user} refers to section ${section.name}, which is not in the draft`;
      throw cannotWrite(place, what, "add the section, or remove what refers to it");
    },
    symbolIndex(symbol, user) {
      if (symbol === undefined) return 0;
      const number = symbolNumbers.get(symbol);
      if (number !== undefined) return number;
      const what = `${user} refers to symbol ${symbol.name}, which is not in the draft`;
      throw cannotWrite(place, what, "add the symbol, or remove what refers to it");
    },
  };
}

/** Whether two lists hold the same objects in the same order. */
export function sameList<T>(now: readonly T[], then: readonly T[] | undefined): boolean {
  return then !== undefined && now.length === then.length && now.every((item, i) => item === then[i]);
}

function sameBindings(draft: ElfDraft): boolean {
  return draft.symbols.every((s, i) => s.binding === draft.origin?.file.symbols[i + 1]?.binding);
}

function numbers<T>(list: readonly T[]): Map<T, number> {
  return new Map(list.map((item, i) => [item, i + 1]));
}

/** The sections, with the tables that the draft needs and does not list. */
function withTables(draft: ElfDraft): Pick<Numbering, "sections" | "tables"> {
  const sections = [...draft.sections];
  const tables = new Map<TableSection["holds"], TableSection>();
  for (const section of sections) {
    if (section.kind !== "table") continue;
    if (tables.has(section.holds)) {
      throw cannotWrite({ file: draft.name }, `two tables for ${section.holds}`, "keep one of them");
    }
    tables.set(section.holds, section);
  }
  const add = (holds: TableSection["holds"], fields: Partial<TableSection> & { name: string }): void => {
    const table: TableSection = { kind: "table", holds, ...PLAIN, ...fields };
    sections.push(table);
    tables.set(holds, table);
  };
  const symbolic = draft.symbols.length > 0 || sections.some((s) => s.kind === "relocations" || s.kind === "group");
  if (symbolic && !tables.has("symbols")) {
    add("symbols", { name: ".symtab", type: SHT.SYMTAB, alignment: 8, entrySize: RECORD.SYMBOL });
  }
  if (tables.has("symbols") && !tables.has("symbolSections") && usesExtendedIndexes(draft, sections)) {
    const fields = { type: SHT.SYMTAB_SHNDX, alignment: 4, entrySize: 4 };
    add("symbolSections", { name: ".symtab_shndx", ...fields });
  }
  if (tables.has("symbols") && !tables.has("symbolNames") && !tables.has("names")) {
    add("symbolNames", { name: ".strtab", type: SHT.STRTAB });
  }
  if (sections.some((s) => s.name !== "") && !tables.has("sectionNames") && !tables.has("names")) {
    add("sectionNames", { name: ".shstrtab", type: SHT.STRTAB });
  }
  return { sections, tables };
}

const PLAIN = { type: 0, flags: 0, address: 0n, alignment: 1, entrySize: 0, offset: undefined };

function usesExtendedIndexes(draft: ElfDraft, sections: readonly DraftSection[]): boolean {
  if (sections.length + 1 < SHN.LORESERVE) return false;
  const high = new Set<unknown>(sections.slice(SHN.LORESERVE - 1));
  return draft.symbols.some((symbol) => high.has(symbol.place));
}
