import { bigU64, u64 } from "./bytes.ts";
import { RECORD, SHT } from "./constants.ts";
import { corrupt, truncated } from "./fault.ts";
import type { HeaderAndTables } from "./header.ts";
import type { Address, ElfSection, SectionIndex } from "./model.ts";
import { nameReader } from "./strings.ts";

const EMPTY = Buffer.alloc(0);

/**
 * The section headers, with views of the contents. No two contents may overlap
 * each other or the headers, so what is decoded from a file stays in
 * proportion to its size.
 */
export function readSections(
  data: Buffer,
  view: DataView,
  { header, sections: table }: HeaderAndTables,
  name: string,
): ElfSection[] {
  const little = header.endian === "little";
  const nameOf = sectionNames({ data, view, little }, table, name);
  const sections: ElfSection[] = new Array(table.count);
  let end = RECORD.HEADER;
  let ordered = true;
  for (let index = 0; index < table.count; index++) {
    const at = table.offset + index * RECORD.SECTION_HEADER;
    const type = view.getUint32(at + 4, little);
    const flags = u64(view, at + 8, little);
    const offset = u64(view, at + 24, little);
    const size = u64(view, at + 32, little);
    const alignment = u64(view, at + 48, little);
    const entrySize = u64(view, at + 56, little);
    const sectionName = nameOf(view.getUint32(at, little));
    if (!(flags + offset + size + alignment + entrySize <= Number.MAX_SAFE_INTEGER)) {
      throw corrupt({ file: name, section: { index, name: sectionName } }, "a section header has a value above 2^53");
    }
    const stored = type !== SHT.NOBITS && type !== SHT.NULL && size > 0;
    if (stored) {
      if (offset + size > data.length) {
        throw truncated(
          { file: name, section: { index, name: sectionName } },
          `${size} bytes at 0x${offset.toString(16)} do not fit in a file of ${data.length}`,
        );
      }
      if (offset < end) ordered = false;
      end = offset + size;
    }
    sections[index] = {
      index: index as SectionIndex,
      name: sectionName,
      type,
      flags,
      address: bigU64(view, at + 16, little) as Address,
      offset,
      size,
      link: view.getUint32(at + 40, little),
      info: view.getUint32(at + 44, little),
      alignment,
      entrySize,
      data: stored ? data.subarray(offset, offset + size) : EMPTY,
    };
  }
  if (sections[0] !== undefined && sections[0].type !== SHT.NULL) {
    throw corrupt({ file: name, section: { index: 0 } }, "section 0 is not the null section");
  }
  if (!ordered || end > table.offset) refuseOverlap(sections, table, name);
  return sections;
}

function sectionNames(
  { data, view, little }: { readonly data: Buffer; readonly view: DataView; readonly little: boolean },
  table: HeaderAndTables["sections"],
  file: string,
): (offset: number) => string {
  if (table.names === 0) return () => "";
  const at = table.offset + table.names * RECORD.SECTION_HEADER;
  const place = { file, section: { index: table.names } };
  if (view.getUint32(at + 4, little) !== SHT.STRTAB) {
    throw corrupt(place, "the section names are not in a string table");
  }
  const offset = u64(view, at + 24, little);
  const size = u64(view, at + 32, little);
  if (offset + size > data.length) throw truncated(place, "the section names do not fit in the file");
  return nameReader(data.subarray(offset, offset + size), table.count, place);
}

/** Sections in file order, each starting where the one before has ended. */
function refuseOverlap(sections: readonly ElfSection[], table: HeaderAndTables["sections"], file: string): void {
  const tableEnd = table.offset + table.count * RECORD.SECTION_HEADER;
  const stored = sections.filter((section) => section.data.length > 0);
  stored.sort((a, b) => a.offset - b.offset);
  let end = RECORD.HEADER;
  let before = "the ELF header";
  for (const section of stored) {
    if (section.offset < end) {
      throw corrupt({ file, section }, `the section overlaps ${before}`);
    }
    end = section.offset + section.size;
    before = `section ${section.index}`;
    if (section.offset < tableEnd && end > table.offset) {
      throw corrupt({ file, section }, "the section overlaps the section headers");
    }
  }
}
