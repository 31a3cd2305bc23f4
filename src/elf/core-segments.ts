/** The parts of memory in an ELF core file, of which /proc/kcore is one. */
import { identityOf } from "./identity.ts";
import { wordsOf } from "./words.ts";

/** Addresses and sizes are unsigned. */
export interface CoreSegment {
  readonly address: bigint;
  readonly size: bigint;
  /** In the file. */
  readonly offset: bigint;
}

/** Bytes of an ELF header of 64 bits. */
export const CORE_HEADER = 64;
const ENTRY = 56;
const PT_LOAD = 1;
const ET_CORE = 4;

/**
 * Where the table lies that says which memory the file has, by its first `CORE_HEADER`
 * bytes; undefined where that is no core file of 64 bits. At most 65,535 entries.
 */
export function coreTable(header: Buffer): { readonly offset: bigint; readonly size: number } | undefined {
  const identity = identityOf(header);
  if (identity === undefined || identity.type !== ET_CORE || header.length < CORE_HEADER) return undefined;
  const words = wordsOf(identity.endian);
  if (words.u16(header, 54) !== ENTRY) return undefined;
  return { offset: words.u64(header, 32), size: words.u16(header, 56) * ENTRY };
}

/**
 * What of memory the file has, in its own order.
 * @param table the bytes that `coreTable` tells of, or as many of them as there are
 */
export function coreSegments(header: Buffer, table: Buffer): CoreSegment[] {
  const words = wordsOf(identityOf(header)?.endian ?? "little");
  const segments: CoreSegment[] = [];
  for (let at = 0; at + ENTRY <= table.length; at += ENTRY) {
    if (words.u32(table, at) !== PT_LOAD) continue;
    segments.push({
      offset: words.u64(table, at + 8),
      address: words.u64(table, at + 16),
      // Of the memory as much as the file has.
      size: words.u64(table, at + 32),
    });
  }
  return segments;
}

/** Where bytes of memory lie in the file; undefined where no one part has all of them. */
export function fileOffset(segments: readonly CoreSegment[], address: bigint, length: number): bigint | undefined {
  const end = address + BigInt(length);
  const found = segments.find((each) => address >= each.address && end <= each.address + each.size);
  return found && found.offset + (address - found.address);
}
