import { Cursor, type Section } from "./cursor.ts";
import { corrupt, unsupported } from "./fault.ts";
import { PE, readLength, readPointer, sizeOfEncoding } from "./pointer.ts";

/** .eh_frame_hdr: Linux Standard Base, "The .eh_frame_hdr section". */
export interface SearchTable {
  readonly section: Section;
  /** Address of .eh_frame. */
  readonly ehFrame: number;
  /** Entries sorted by the start of the code; 0 where there is no table. */
  readonly count: number;
  /** Offset of the first entry. */
  readonly first: number;
  readonly encoding: number;
  /** Bytes of each of the two fields of an entry. */
  readonly fieldSize: number;
}

const USUAL = PE.DATAREL | PE.SDATA4;

/** Throws DWARF_CORRUPT or DWARF_UNSUPPORTED. */
export function readSearchTable(section: Section): SearchTable {
  const cursor = new Cursor(section, 0, section.data.length);
  const version = cursor.u8();
  if (version !== 1) throw unsupported(section.name, 0, `a search table of version ${version}`);
  const pointerEncoding = cursor.u8();
  const countEncoding = cursor.u8();
  const encoding = cursor.u8();
  const bases = { data: section.address };
  const ehFrame = readPointer(cursor, pointerEncoding, bases);
  if (ehFrame === undefined || ehFrame.indirect) throw corrupt(section.name, 0, "a search table that leads nowhere");
  const without = { section, ehFrame: ehFrame.address, count: 0, first: 0, encoding, fieldSize: 0 };
  if (countEncoding === PE.OMIT || encoding === PE.OMIT) return without;
  const count = readLength(cursor, countEncoding);
  const fieldSize = sizeOfEncoding(encoding);
  if (fieldSize === undefined || (encoding & PE.INDIRECT) !== 0) return without;
  if (cursor.at + count * 2 * fieldSize > section.data.length) {
    throw corrupt(section.name, cursor.at, "a search table that goes beyond its section");
  }
  return { ...without, count, first: cursor.at, fieldSize };
}

/** Address of the FDE of the last function that starts at or before this address, which need not reach so far. */
export function searched(table: SearchTable, address: number): number | undefined {
  let low = 0;
  let high = table.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (field(table, 2 * middle) <= address) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? undefined : field(table, 2 * low - 1);
}

/** Where the functions start, in the table's order. */
export function* starts(table: SearchTable): Generator<number> {
  for (let index = 0; index < table.count; index++) yield field(table, 2 * index);
}

function field({ section, first, encoding, fieldSize }: SearchTable, index: number): number {
  const at = first + index * fieldSize;
  if (encoding === USUAL) return section.address + section.words.i32(section.data, at);
  const cursor = new Cursor(section, at, at + fieldSize);
  return readPointer(cursor, encoding, { data: section.address })?.address ?? 0;
}
