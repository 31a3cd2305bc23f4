import { setU64, viewOf } from "./bytes.ts";
import { ET, PN_XNUM, RECORD, SHN } from "./constants.ts";
import type { ElfDraft } from "./draft.ts";
import { type EncodedSection, encodeSections } from "./encode.ts";
import { cannotWrite } from "./fault.ts";
import { readHeader } from "./header.ts";
import type { Layout } from "./layout.ts";
import { layOutInPlace } from "./layout-in-place.ts";
import { layOutRelocatable } from "./layout-relocatable.ts";
import { type Numbering, numberParts } from "./numbering.ts";

/**
 * Writes a draft: number its parts, encode them, lay them out, write. The same
 * draft gives the same bytes, and the unedited draft of a file that file's bytes.
 * Throws ELF_CANNOT_WRITE for a draft that refers to what it does not contain,
 * and for an edit that the segments of an executable do not allow.
 */
export function writeElf(draft: ElfDraft): Buffer {
  const numbering = numberParts(draft);
  const sections = encodeSections(draft, numbering);
  const segmented = draft.header.type !== ET.REL || draft.programHeaders.length > 0;
  const layout = segmented ? layOutInPlace(draft, sections) : layOutRelocatable(draft, sections);
  if (!(layout.size <= MOST_BYTES)) {
    throw cannotWrite({ file: draft.name }, `the file would have ${layout.size} bytes`, "check the offsets");
  }
  const image = Buffer.alloc(layout.size);
  layout.under?.data.copy(image);
  for (const [start, end] of layout.freed) if (end > start) image.fill(0, start, end);
  writeProgramHeaders(draft, layout, viewOf(image));
  sections.forEach(({ bytes }, i) => {
    if (bytes.length > 0) bytes.copy(image, layout.offsets[i]);
  });
  writeSectionHeaders(draft, sections, layout, viewOf(image));
  writeHeader(draft, numbering, layout, viewOf(image));
  return image;
}

const MOST_BYTES = 0xffff_ffff;

function writeProgramHeaders(draft: ElfDraft, layout: Layout, view: DataView): void {
  const little = draft.header.endian === "little";
  draft.programHeaders.forEach((header, i) => {
    const at = layout.programHeaders + i * RECORD.PROGRAM_HEADER;
    view.setUint32(at, header.type, little);
    view.setUint32(at + 4, header.flags, little);
    setU64(view, at + 8, header.offset, little);
    view.setBigUint64(at + 16, header.virtualAddress, little);
    view.setBigUint64(at + 24, header.physicalAddress, little);
    setU64(view, at + 32, header.fileSize, little);
    view.setBigUint64(at + 40, header.memorySize, little);
    view.setBigUint64(at + 48, header.alignment, little);
  });
}

function writeSectionHeaders(
  draft: ElfDraft,
  sections: readonly EncodedSection[],
  layout: Layout,
  view: DataView,
): void {
  const little = draft.header.endian === "little";
  sections.forEach(({ section, size, nameOffset, link, info }, i) => {
    const at = layout.sectionHeaders + (i + 1) * RECORD.SECTION_HEADER;
    view.setUint32(at, nameOffset, little);
    view.setUint32(at + 4, section.type, little);
    setU64(view, at + 8, section.flags, little);
    view.setBigUint64(at + 16, section.address, little);
    setU64(view, at + 24, layout.offsets[i] ?? 0, little);
    setU64(view, at + 32, size, little);
    view.setUint32(at + 40, link, little);
    view.setUint32(at + 44, info, little);
    setU64(view, at + 48, section.alignment, little);
    setU64(view, at + 56, section.entrySize, little);
  });
}

function writeHeader(draft: ElfDraft, numbering: Numbering, layout: Layout, view: DataView): void {
  const { header } = draft;
  const little = header.endian === "little";
  view.setUint32(0, 0x7f454c46);
  view.setUint8(4, 2);
  view.setUint8(5, little ? 1 : 2);
  view.setUint8(6, 1);
  view.setUint8(7, header.osAbi);
  view.setUint8(8, header.abiVersion);
  view.setUint16(16, header.type, little);
  view.setUint16(18, header.machine, little);
  view.setUint32(20, 1, little);
  view.setBigUint64(24, header.entry, little);
  // Where there are no headers, whatever a file says of their place is left alone.
  if (draft.programHeaders.length > 0) setU64(view, 32, layout.programHeaders, little);
  if (numbering.sections.length > 0) setU64(view, 40, layout.sectionHeaders, little);
  view.setUint32(48, header.flags, little);
  view.setUint16(52, RECORD.HEADER, little);
  writeCounts(draft, numbering, layout, view);
}

/** Counts too large for the ELF header are in the null section's header. */
function writeCounts(draft: ElfDraft, numbering: Numbering, layout: Layout, view: DataView): void {
  const little = draft.header.endian === "little";
  const table = numbering.tables.get("names") ?? numbering.tables.get("sectionNames");
  const names = table === undefined ? 0 : numbering.sectionIndex(table, "the ELF header");
  const any = numbering.sections.length > 0;
  const sections = any ? numbering.sections.length + 1 : 0;
  const segments = draft.programHeaders.length;
  const old = layout.under && readHeader(layout.under.data, draft.name);
  if (
    old !== undefined &&
    (any
      ? old.sections.count === sections && old.sections.offset === layout.sectionHeaders
      : old.sections.count <= 1) &&
    old.sections.names === names &&
    old.programHeaders.count === segments
  ) {
    return;
  }
  if (segments >= PN_XNUM && !any) {
    const what = `${segments} program headers cannot be counted without sections`;
    throw cannotWrite({ file: draft.name }, what, "add a section");
  }
  view.setUint16(54, segments === 0 ? 0 : RECORD.PROGRAM_HEADER, little);
  view.setUint16(56, Math.min(segments, PN_XNUM), little);
  view.setUint16(58, RECORD.SECTION_HEADER, little);
  view.setUint16(60, sections < SHN.LORESERVE ? sections : 0, little);
  view.setUint16(62, names < SHN.LORESERVE ? names : SHN.XINDEX, little);
  if (!any) {
    setU64(view, 40, 0, little);
    return;
  }
  const at = layout.sectionHeaders;
  for (let word = 0; word < RECORD.SECTION_HEADER; word += 4) view.setUint32(at + word, 0);
  if (sections >= SHN.LORESERVE) setU64(view, at + 32, sections, little);
  if (names >= SHN.LORESERVE) view.setUint32(at + 40, names, little);
  if (segments >= PN_XNUM) view.setUint32(at + 44, segments, little);
}
