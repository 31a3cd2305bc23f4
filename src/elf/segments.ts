/** Program headers that are read piece by piece: from memory, or from a file of which nothing else is wanted. Nothing is checked but what is said here. */
import { RECORD } from "./constants.ts";
import { identityOf } from "./identity.ts";
import type { ElfHeader } from "./model.ts";
import { type Words, wordsOf } from "./words.ts";

/** Bytes of the ELF header. */
export const HEADER_BYTES = RECORD.HEADER;

/** What an ELF header says of where its tables are. Numbers above 2^53 are not exact. */
export interface SegmentTable extends Pick<ElfHeader, "type" | "machine"> {
  readonly words: Words;
  readonly offset: number;
  readonly count: number;
  /** Bytes of all program headers. */
  readonly size: number;
  /** The section headers; none: count 0. */
  readonly sectionHeaders: { readonly offset: number; readonly count: number; readonly names: number };
}

/** A program header. Numbers above 2^53 are not exact. */
export interface Segment {
  /** PT_* */
  readonly type: number;
  /** PF_* */
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly alignment: number;
}

/** undefined for what is no 64-bit ELF file, or has program headers of another size. */
export function segmentTable(header: Buffer): SegmentTable | undefined {
  const identity = header.length < HEADER_BYTES ? undefined : identityOf(header);
  if (identity === undefined) return undefined;
  const words = wordsOf(identity.endian);
  if (words.u16(header, 54) !== RECORD.PROGRAM_HEADER) return undefined;
  const count = words.u16(header, 56);
  return {
    ...identity,
    words,
    offset: words.size(header, 32),
    count,
    size: count * RECORD.PROGRAM_HEADER,
    sectionHeaders: { offset: words.size(header, 40), count: words.u16(header, 60), names: words.u16(header, 62) },
  };
}

/** @param bytes the `size` ones that lie at the table's offset */
export function segmentsIn(bytes: Buffer, { words, count }: SegmentTable): Segment[] {
  const segments: Segment[] = [];
  for (let index = 0; index < count; index++) {
    const at = index * RECORD.PROGRAM_HEADER;
    segments.push({
      type: words.u32(bytes, at),
      flags: words.u32(bytes, at + 4),
      offset: words.size(bytes, at + 8),
      address: words.size(bytes, at + 16),
      fileSize: words.size(bytes, at + 32),
      memorySize: words.size(bytes, at + 40),
      alignment: words.size(bytes, at + 48),
    });
  }
  return segments;
}
