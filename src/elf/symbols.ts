import { bigU64, viewOf } from "./bytes.ts";
import { RECORD, SHN, SHT } from "./constants.ts";
import { corrupt, truncated } from "./fault.ts";
import type { ElfSection, ElfSymbol, SectionIndex, SymbolIndex, SymbolPlace } from "./model.ts";
import { nameReader } from "./strings.ts";
import { wordsOf } from "./words.ts";

/** The one section of a type that a file may have only once. */
export function onlySection(sections: readonly ElfSection[], type: number, file: string): ElfSection | undefined {
  let found: ElfSection | undefined;
  for (const section of sections) {
    if (section.type !== type) continue;
    if (found !== undefined) throw corrupt({ file, section }, "a second symbol table of its kind");
    found = section;
  }
  return found;
}

/** Decodes a SHT_SYMTAB or SHT_DYNSYM section; section indexes beyond 0xff00 come from SHT_SYMTAB_SHNDX. */
export function readSymbols(
  sections: readonly ElfSection[],
  table: ElfSection,
  little: boolean,
  file: string,
): ElfSymbol[] {
  const place = { file, section: table };
  if (table.size % RECORD.SYMBOL !== 0 || (table.size > 0 && table.entrySize !== RECORD.SYMBOL)) {
    throw corrupt(place, "the symbol table is not made of 24-byte entries");
  }
  const count = table.size / RECORD.SYMBOL;
  const names = sections[table.link];
  if (names === undefined || names.type !== SHT.STRTAB) {
    throw corrupt(place, `the symbol names are in section ${table.link}, which is no string table`);
  }
  const nameOf = nameReader(names.data, count, { file, section: names });
  const extended = sections.find((s) => s.type === SHT.SYMTAB_SHNDX && s.link === table.index);
  const view = viewOf(table.data);
  const places: SymbolPlace[] = [];
  const symbols: ElfSymbol[] = new Array(count);
  for (let index = 0, at = 0; index < count; index++, at += RECORD.SYMBOL) {
    const info = view.getUint8(at + 4);
    const other = view.getUint8(at + 5);
    let section = view.getUint16(at + 6, little);
    let where: SymbolPlace | undefined;
    if (section >= SHN.LORESERVE && section !== SHN.XINDEX) {
      where = RESERVED.get(section) ?? { kind: "reserved", value: section };
    } else {
      if (section === SHN.XINDEX) section = extendedIndex(extended, index, little, { ...place, offset: at });
      where = places[section];
      if (where === undefined) {
        if (section >= sections.length) {
          throw corrupt({ ...place, offset: at }, `symbol ${index} is in section ${section} of ${sections.length}`);
        }
        where = section === 0 ? UNDEFINED : { kind: "section", section: section as SectionIndex };
        places[section] = where;
      }
    }
    symbols[index] = {
      index: index as SymbolIndex,
      name: nameOf(view.getUint32(at, little)),
      value: bigU64(view, at + 8, little),
      size: bigU64(view, at + 16, little),
      type: info & 15,
      binding: info >> 4,
      visibility: other & 3,
      other: other >> 2,
      place: where,
    };
  }
  return symbols;
}

const UNDEFINED: SymbolPlace = { kind: "undefined" };

const RESERVED: ReadonlyMap<number, SymbolPlace> = new Map([
  [SHN.ABS as number, { kind: "absolute" }],
  [SHN.COMMON as number, { kind: "common" }],
]);

function extendedIndex(
  table: ElfSection | undefined,
  symbol: number,
  little: boolean,
  place: { file: string; section: ElfSection; offset: number },
): number {
  if (table === undefined) {
    throw corrupt(place, "an extended section index without SHT_SYMTAB_SHNDX");
  }
  const offset = symbol * 4;
  if (offset + 4 > table.data.length) {
    throw truncated({ ...place, section: table, offset }, `no extended section index for symbol ${symbol}`);
  }
  return wordsOf(little ? "little" : "big").u32(table.data, offset);
}
