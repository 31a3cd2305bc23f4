/**
 * Addresses inside of a function that its own code takes: where inline assembly that switches stacks, or a
 * computed goto, will go on. No call comes before them. By bytes alone: an operand that is
 * just such an address is hardly ever anything else.
 */

import type { CodePiece } from "../call-code.ts";

const LEA = 0x8d;
const FIELD = 4;

/**
 * @param code of the range that starts at `base`
 * @param ranges all of the function's code; where one starts is no label
 */
export function innerLabels(code: Buffer, base: number, ranges: readonly CodePiece[]): number[] {
  const isInner = (address: number): boolean => ranges.some(({ start, end }) => start < address && address < end);
  const found = new Set<number>();
  for (let at = 0; at + FIELD <= code.length; at++) {
    const isLea = at >= 2 && code[at - 2] === LEA && ((code[at - 1] ?? 0) & 0xc7) === 0x05;
    const relative = isLea ? base + at + FIELD + code.readInt32LE(at) : undefined;
    const absolute = code.readUInt32LE(at);
    if (relative !== undefined && isInner(relative)) found.add(relative);
    if (isInner(absolute)) found.add(absolute);
  }
  return [...found];
}
