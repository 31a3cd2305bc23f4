import { bigS64, u64, viewOf } from "./bytes.ts";
import { EM, ET, RECORD, SHF, SHT } from "./constants.ts";
import { corrupt } from "./fault.ts";
import type { ElfFile, ElfSection, Relocation, SectionIndex, SymbolIndex } from "./model.ts";

/**
 * Decodes one SHT_RELA or SHT_REL section; `section.info` is the section it
 * applies to, `section.link` the symbol table its symbols are in (.symtab, or
 * .dynsym in linked files). SHT_REL keeps addends in the bytes that are
 * relocated: they are 0 here. Throws ELF_CORRUPT for symbols that do not exist
 * and, in relocatable files, offsets outside the target section.
 */
export function relocationsOf(file: ElfFile, section: ElfSection): Relocation[] {
  const place = { file: file.name, section };
  const explicit = section.type === SHT.RELA;
  if (!explicit && section.type !== SHT.REL) throw corrupt(place, "not a relocation section");
  const step = explicit ? RECORD.RELA : RECORD.REL;
  if (section.size % step !== 0 || (section.size > 0 && section.entrySize !== step)) {
    throw corrupt(place, `the relocations are not entries of ${step} bytes`);
  }
  const little = file.header.endian === "little";
  // MIPS stores r_sym first and then four single bytes, in either byte order.
  const mips = file.header.machine === EM.MIPS;
  const symbolAt = little && !mips ? 12 : 8;
  const typeAt = 20 - symbolAt;
  const typeLittle = little && !mips;
  const symbolCount = symbolCountOf(file, section);
  const limit = offsetLimit(file, section);
  const count = section.size / step;
  const view = viewOf(section.data);
  const relocations: Relocation[] = new Array(count);
  for (let index = 0, at = 0; index < count; index++, at += step) {
    const offset = u64(view, at, little);
    if (offset > limit) throw corrupt({ ...place, offset: at }, `relocation ${index} lies outside its section`);
    const symbol = view.getUint32(at + symbolAt, little);
    relocations[index] = {
      offset,
      type: view.getUint32(at + typeAt, typeLittle),
      symbol: symbol as SymbolIndex,
      addend: explicit ? bigS64(view, at + 16, little) : 0n,
    };
    if (symbol >= symbolCount) {
      throw corrupt({ ...place, offset: at }, `relocation ${index} names symbol ${symbol} of ${symbolCount}`);
    }
  }
  return relocations;
}

/** The relocation sections of each section that has any, in file order. */
export function relocationSections(file: ElfFile): Map<SectionIndex, ElfSection[]> {
  const byTarget = new Map<SectionIndex, ElfSection[]>();
  for (const section of file.sections) {
    if ((section.type !== SHT.RELA && section.type !== SHT.REL) || section.info === 0) continue;
    if (section.info >= file.sections.length) {
      throw corrupt({ file: file.name, section }, `relocations for section ${section.info} of ${file.sections.length}`);
    }
    const target = section.info as SectionIndex;
    const known = byTarget.get(target);
    if (known === undefined) byTarget.set(target, [section]);
    else known.push(section);
  }
  return byTarget;
}

function symbolCountOf(file: ElfFile, section: ElfSection): number {
  if (section.link === 0) return 1;
  const table = file.sections[section.link];
  if (table?.type === SHT.SYMTAB) return file.symbols.length;
  if (table?.type === SHT.DYNSYM) return file.dynamicSymbols.length;
  throw corrupt({ file: file.name, section }, `section ${section.link} holds no symbols for the relocations`);
}

/** The largest offset a relocation may have. Offsets into compressed contents count decompressed bytes. */
function offsetLimit(file: ElfFile, section: ElfSection): number {
  if (file.header.type !== ET.REL) return Number.MAX_SAFE_INTEGER;
  const target = file.sections[section.info];
  if (target === undefined || section.info === 0) {
    throw corrupt({ file: file.name, section }, `relocations for section ${section.info}, which does not exist`);
  }
  const compressed = (target.flags & SHF.COMPRESSED) !== 0 || target.name.startsWith(".zdebug");
  return compressed ? Number.MAX_SAFE_INTEGER : target.size;
}
