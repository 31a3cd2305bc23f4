/** Strings of an object file, as code refers to them. */
import type { ElfSection } from "../elf/model.ts";
import type { LineNumbers } from "./line-numbers.ts";

/** A place in an object, whatever lies there; `offset` is in bytes from the section's start. */
export interface Spot {
  readonly section: ElfSection;
  readonly offset: number;
}

/** Whether the same string is there, but for line numbers in it: __stringify(__LINE__) makes them. */
export function sameString(a: Spot, b: Spot, lines: LineNumbers): boolean {
  const wanted = stringAt(b.section, b.offset);
  if (a.section.data.subarray(a.offset, a.offset + wanted.length).equals(wanted)) return true;
  const [mine, other] = [stringAt(a.section, a.offset), wanted].map((bytes) => bytes.toString("latin1").split(/(\d+)/));
  if (mine === undefined || other === undefined || mine.length !== other.length) return false;
  return mine.every((part, i) => part === other[i] || (i % 2 === 1 && lines.areSame(Number(part), Number(other[i]))));
}

/** The string that begins there, with the zero character that ends it. */
export function stringAt({ data, entrySize }: ElfSection, offset: number): Buffer {
  const width = Math.max(1, entrySize);
  let end = offset;
  while (end < data.length && data.subarray(end, end + width).some((byte) => byte !== 0)) end += width;
  return data.subarray(offset, end + width);
}
