import { setU64, viewOf } from "./bytes.ts";
import { EM, RECORD, SHT } from "./constants.ts";
import type { DraftSection, ElfDraft, GroupSection, RelocationSection, TableSection } from "./draft.ts";
import { cannotWrite } from "./fault.ts";
import type { Numbering } from "./numbering.ts";
import { refuseStaleNumbers, type WrittenTables, writeTables } from "./write-tables.ts";

/** A section ready to be laid out: everything but its offset. */
export interface EncodedSection {
  readonly section: DraftSection;
  /** Empty where the file has no contents of it. */
  readonly bytes: Buffer;
  /** sh_size */
  readonly size: number;
  readonly nameOffset: number;
  readonly link: number;
  readonly info: number;
}

/** The contents and the numbers of every section of the draft. */
export function encodeSections(draft: ElfDraft, numbering: Numbering): EncodedSection[] {
  refuseStaleNumbers(draft, numbering);
  const tables = writeTables(draft, numbering);
  return numbering.sections.map((section, i) => ({
    section,
    nameOffset: tables.sectionNames[i] ?? 0,
    ...encodeSection(draft, numbering, tables, section),
  }));
}

type Encoded = Omit<EncodedSection, "section" | "nameOffset">;

function encodeSection(draft: ElfDraft, numbering: Numbering, tables: WrittenTables, section: DraftSection): Encoded {
  const user = `section ${section.name}`;
  switch (section.kind) {
    case "data": {
      const number = (to: DraftSection | number): number =>
        typeof to === "number" ? to : numbering.sectionIndex(to, user);
      const stored = section.type !== SHT.NOBITS && section.type !== SHT.NULL;
      if (!stored && section.data.length > 0) {
        const what = `${user} has contents and a type without any`;
        throw cannotWrite({ file: draft.name }, what, "give `size` and no `data`, or another type");
      }
      const size = stored ? section.data.length : section.size;
      return { bytes: section.data, size, link: number(section.link), info: number(section.info) };
    }
    case "relocations": {
      const bytes = encodeRelocations(draft, numbering, section);
      const info = numbering.sectionIndex(section.target, user);
      return { bytes, size: bytes.length, link: tableIndex(numbering, "symbols"), info };
    }
    case "group": {
      const bytes = encodeGroup(draft, numbering, section);
      const info = numbering.symbolIndex(section.signature, user);
      return { bytes, size: bytes.length, link: tableIndex(numbering, "symbols"), info };
    }
    case "table": {
      const bytes = tables.bytes(section.holds);
      return { bytes, size: bytes.length, ...tableNumbers(numbering, tables, section) };
    }
  }
}

function tableIndex(numbering: Numbering, ...kinds: TableSection["holds"][]): number {
  for (const kind of kinds) {
    const table = numbering.tables.get(kind);
    if (table !== undefined) return numbering.sectionIndex(table, kind);
  }
  return 0;
}

function tableNumbers(
  numbering: Numbering,
  tables: WrittenTables,
  { holds }: TableSection,
): { link: number; info: number } {
  const kept = tables.kept(holds);
  switch (holds) {
    case "symbols": {
      const link = tableIndex(numbering, "symbolNames", "names");
      return { link, info: kept?.info ?? numbering.localCount + 1 };
    }
    case "symbolSections":
      return { link: tableIndex(numbering, "symbols"), info: kept?.info ?? 0 };
    default:
      return { link: kept?.link ?? 0, info: kept?.info ?? 0 };
  }
}

function encodeRelocations(draft: ElfDraft, numbering: Numbering, section: RelocationSection): Buffer {
  const little = draft.header.endian === "little";
  const mips = draft.header.machine === EM.MIPS;
  const symbolAt = little && !mips ? 12 : 8;
  const typeAt = 20 - symbolAt;
  const explicit = section.type === SHT.RELA;
  const step = explicit ? RECORD.RELA : RECORD.REL;
  const bytes = Buffer.alloc(section.relocations.length * step);
  const view = viewOf(bytes);
  const user = `a relocation in ${section.name}`;
  section.relocations.forEach(({ offset, type, symbol, addend }, i) => {
    const at = i * step;
    const representable = explicit ? BigInt.asIntN(64, addend) === addend : addend === 0n;
    if (!Number.isSafeInteger(offset) || offset < 0 || !representable) {
      const what = `${user} has offset ${offset} and addend ${addend}`;
      throw cannotWrite({ file: draft.name }, what, "SHT_RELA takes 64-bit addends, SHT_REL none");
    }
    setU64(view, at, offset, little);
    view.setUint32(at + symbolAt, numbering.symbolIndex(symbol, user), little);
    view.setUint32(at + typeAt, type, little && !mips);
    if (explicit) view.setBigInt64(at + 16, addend, little);
  });
  return bytes;
}

function encodeGroup(draft: ElfDraft, numbering: Numbering, section: GroupSection): Buffer {
  const little = draft.header.endian === "little";
  const words = section.members.map((member) => numbering.sectionIndex(member, `group ${section.name}`));
  const bytes = Buffer.alloc(4 + words.length * 4);
  const view = viewOf(bytes);
  view.setUint32(0, section.groupFlags, little);
  words.forEach((word, i) => {
    view.setUint32(4 + i * 4, word, little);
  });
  return bytes;
}
