/** Bytes of a section, and how much of them is filled. */
import type { ElfSection } from "../elf/model.ts";

/** Bytes without the zeros at the end. */
export function trimmed(data: Buffer): number {
  let end = data.length;
  while (end > 0 && data[end - 1] === 0) end--;
  return end;
}

/** Bytes from `start` to the end of the last of fields that are in order; 0 where there are none. */
export function lastEnd(fields: readonly { readonly offset: number; readonly size: number }[], start: number): number {
  const last = fields.at(-1);
  return last === undefined ? 0 : last.offset + last.size - start;
}

/** Zeros where the section has no bytes in the file. */
export function contentsOf({ data }: ElfSection, start: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  if (start < data.length) data.copy(bytes, 0, start, Math.min(data.length, start + length));
  return bytes;
}
