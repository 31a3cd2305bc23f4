import { RECORD } from "./constants.ts";
import type { ElfDraft } from "./draft.ts";
import type { EncodedSection } from "./encode.ts";
import { readHeader } from "./header.ts";
import { aligned, type Layout } from "./layout.ts";
import { sameList } from "./numbering.ts";

/** A relocatable file keeps its layout as long as every section keeps its size, and is laid out anew otherwise. */
export function layOutRelocatable(draft: ElfDraft, sections: readonly EncodedSection[]): Layout {
  return keptLayout(draft, sections) ?? layOutAnew(sections);
}

function layOutAnew(sections: readonly EncodedSection[]): Layout {
  let end: number = RECORD.HEADER;
  const offsets = sections.map(({ section, bytes }) => {
    const offset = aligned(end, section.alignment);
    if (bytes.length > 0) end = offset + bytes.length;
    return offset;
  });
  const sectionHeaders = sections.length === 0 ? 0 : aligned(end, 8);
  const size = sections.length === 0 ? end : sectionHeaders + (sections.length + 1) * RECORD.SECTION_HEADER;
  return { offsets, programHeaders: 0, sectionHeaders, size, under: undefined, freed: [] };
}

function keptLayout(draft: ElfDraft, sections: readonly EncodedSection[]): Layout | undefined {
  const origin = draft.origin;
  if (
    origin === undefined ||
    !sameList(
      sections.map((s) => s.section),
      origin.sections,
    )
  )
    return undefined;
  if (origin.file.programHeaders.length > 0) return undefined;
  const before = origin.file.sections.slice(1);
  const fits = sections.every(({ section, bytes }, i) => {
    const old = before[i];
    return old?.data.length === bytes.length && section.alignment === old.alignment;
  });
  if (!fits) return undefined;
  const { sections: table } = readHeader(origin.file.data, draft.name);
  return {
    offsets: before.map((section) => section.offset),
    programHeaders: 0,
    sectionHeaders: table.offset,
    size: origin.file.data.length,
    under: origin.file,
    freed: [],
  };
}
