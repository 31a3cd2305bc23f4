import { PT, RECORD, SHF } from "./constants.ts";
import type { DraftSection, ElfDraft } from "./draft.ts";
import type { EncodedSection } from "./encode.ts";
import { cannotWrite } from "./fault.ts";
import { readHeader } from "./header.ts";
import { aligned, type Layout } from "./layout.ts";
import type { ElfSection } from "./model.ts";
import { joined, meets, type Range } from "./ranges.ts";

/**
 * The layout of a file with segments. What a segment holds cannot move or
 * grow; other contents that grow, and new ones, go to the end of the file.
 * A file made from scratch gives the offsets of what its segments hold.
 * Throws ELF_CANNOT_WRITE for what cannot be kept.
 */
export function layOutInPlace(draft: ElfDraft, sections: readonly EncodedSection[]): Layout {
  const under = draft.origin?.file;
  const before = new Map<DraftSection, ElfSection>();
  draft.origin?.sections.forEach((section, i) => {
    const old = under?.sections[i + 1];
    if (old !== undefined) before.set(section, old);
  });
  const pinned = joined(
    (under?.programHeaders ?? [])
      .filter((header) => header.type !== PT.NULL)
      .map((header): Range => [header.offset, header.offset + header.fileSize]),
  );
  const tables = tablePlaces(draft, sections);
  const freed = [...before.values()]
    .map(({ offset, data }): Range => [offset, offset + data.length])
    .concat(tables.freedHeaders)
    .filter(([start, stop]) => !meets(pinned, start, stop));
  let end = firstFree(draft, sections);
  const offsets = sections.map((encoded) => {
    const old = before.get(encoded.section);
    const kept = keptOffset(draft, encoded, old, pinned);
    if (kept !== undefined) {
      if (kept === old?.offset) freed.push([kept + encoded.bytes.length, kept + old.data.length]);
      return kept;
    }
    const offset = aligned(end, encoded.section.alignment);
    if (encoded.bytes.length > 0) end = offset + encoded.bytes.length;
    return offset;
  });
  let sectionHeaders = tables.sectionHeaders;
  if (sectionHeaders === undefined && sections.length > 0) {
    sectionHeaders = aligned(end, 8);
    end = sectionHeaders + (sections.length + 1) * RECORD.SECTION_HEADER;
  }
  const layout: Layout = {
    offsets,
    programHeaders: tables.programHeaders,
    sectionHeaders: sectionHeaders ?? 0,
    size: end,
    under,
    freed,
  };
  refuseOverlap(draft, sections, layout);
  return layout;
}

/** Where a section stays or wants to be, or undefined if it goes to the end. */
function keptOffset(
  draft: ElfDraft,
  { section, bytes }: EncodedSection,
  before: ElfSection | undefined,
  pinned: readonly Range[],
): number | undefined {
  const place = { file: draft.name };
  const wanted = section.offset;
  if (before === undefined) {
    if (wanted === undefined && bytes.length > 0 && (section.flags & SHF.ALLOC) !== 0) {
      const what = `no segment holds the new section ${section.name}`;
      const hint = "give it an offset inside a segment, or take SHF_ALLOC from its flags";
      if (draft.programHeaders.length > 0) throw cannotWrite(place, what, hint);
    }
    return wanted;
  }
  const held = meets(pinned, before.offset, before.offset + before.data.length);
  const grows = bytes.length > before.data.length;
  if (held && (grows || wanted !== before.offset)) {
    const what = `section ${section.name} cannot ${grows ? "grow" : "move"}: a segment holds it`;
    throw cannotWrite({ ...place, section: before }, what, "keep its offset and at most its size");
  }
  if (wanted !== before.offset) return wanted;
  if (grows && (section.flags & SHF.ALLOC) !== 0) {
    const what = `no segment holds the contents of section ${section.name}`;
    throw cannotWrite({ ...place, section: before }, what, "leave its contents as they were");
  }
  return grows ? undefined : wanted;
}

interface TablePlaces {
  readonly programHeaders: number;
  /** undefined: at the end. */
  readonly sectionHeaders: number | undefined;
  /** What they no longer need of the place they had. */
  readonly freedHeaders: readonly Range[];
}

function tablePlaces(draft: ElfDraft, sections: readonly EncodedSection[]): TablePlaces {
  const count = draft.programHeaders.length;
  if (draft.origin === undefined) {
    const programHeaders = count > 0 ? RECORD.HEADER : 0;
    return { programHeaders, sectionHeaders: undefined, freedHeaders: [] };
  }
  const old = readHeader(draft.origin.file.data, draft.name);
  if (count > old.programHeaders.count) {
    const what = `no room for ${count} program headers where ${old.programHeaders.count} were`;
    throw cannotWrite({ file: draft.name }, what, "change one that is there");
  }
  const fits = old.sections.count > 0 && sections.length + 1 <= old.sections.count;
  const kept = fits ? (sections.length + 1) * RECORD.SECTION_HEADER : 0;
  const { offset, count: oldCount } = old.sections;
  return {
    programHeaders: old.programHeaders.offset,
    sectionHeaders: fits ? offset : undefined,
    freedHeaders: [[offset + kept, offset + oldCount * RECORD.SECTION_HEADER]],
  };
}

function firstFree(draft: ElfDraft, sections: readonly EncodedSection[]): number {
  if (draft.origin !== undefined) return draft.origin.file.data.length;
  let end: number = RECORD.HEADER + draft.programHeaders.length * RECORD.PROGRAM_HEADER;
  for (const { section, bytes } of sections) {
    if (section.offset !== undefined) end = Math.max(end, section.offset + bytes.length);
  }
  return end;
}

function refuseOverlap(draft: ElfDraft, sections: readonly EncodedSection[], layout: Layout): void {
  const parts: { name: string; start: number; end: number }[] = [
    { name: "the ELF header", start: 0, end: RECORD.HEADER },
  ];
  const add = (name: string, start: number, size: number): void => {
    if (size > 0) parts.push({ name, start, end: start + size });
  };
  if (draft.origin === undefined) {
    add("the program headers", RECORD.HEADER, draft.programHeaders.length * RECORD.PROGRAM_HEADER);
  }
  const headers = sections.length === 0 ? 0 : (sections.length + 1) * RECORD.SECTION_HEADER;
  add("the section headers", layout.sectionHeaders, headers);
  sections.forEach(({ section, bytes }, i) => {
    add(`section ${section.name}`, layout.offsets[i] ?? 0, bytes.length);
  });
  parts.sort((a, b) => a.start - b.start);
  parts.reduce((last, part) => {
    if (part.start >= last.end) return part;
    const what = `${part.name} would overlap ${last.name}`;
    const hint = "give them offsets that leave room, or none";
    throw cannotWrite({ file: draft.name, offset: part.start }, what, hint);
  });
}
