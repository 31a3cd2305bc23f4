import { viewOf } from "./bytes.ts";
import { GRP, SHT } from "./constants.ts";
import { corrupt } from "./fault.ts";
import type { ElfFile, ElfSection, SectionIndex, SymbolIndex } from "./model.ts";

/** A section group: sections that a linker keeps or drops together. */
export interface SectionGroup {
  /** The SHT_GROUP section. */
  readonly section: SectionIndex;
  /** The symbol whose name identifies the group. */
  readonly signature: SymbolIndex;
  /** Of several groups with one signature the linker keeps one. */
  readonly comdat: boolean;
  /** GRP_*, all of them. */
  readonly flags: number;
  readonly members: readonly SectionIndex[];
}

/** The file's section groups, in file order. Throws ELF_CORRUPT for members or signatures that do not exist. */
export function groupsOf(file: ElfFile): SectionGroup[] {
  return file.sections.filter((section) => section.type === SHT.GROUP).map((s) => groupOf(file, s));
}

/** Decodes one SHT_GROUP section. */
export function groupOf(file: ElfFile, section: ElfSection): SectionGroup {
  const place = { file: file.name, section };
  const length = section.data.length;
  if (length < 4 || length % 4 !== 0) throw corrupt(place, "a section group is not made of 4-byte entries");
  if (file.sections[section.link]?.type !== SHT.SYMTAB || !file.symbols[section.info]?.index) {
    throw corrupt(place, `the group's signature is symbol ${section.info} of section ${section.link}`);
  }
  const little = file.header.endian === "little";
  const view = viewOf(section.data);
  const flags = view.getUint32(0, little);
  const members: SectionIndex[] = [];
  for (let at = 4; at < length; at += 4) {
    const member = view.getUint32(at, little);
    if (member === 0 || member >= file.sections.length || member === section.index) {
      throw corrupt({ ...place, offset: at }, `the group has section ${member} of ${file.sections.length} as a member`);
    }
    members.push(member as SectionIndex);
  }
  return {
    section: section.index,
    signature: section.info as SymbolIndex,
    comdat: (flags & GRP.COMDAT) !== 0,
    flags,
    members,
  };
}
