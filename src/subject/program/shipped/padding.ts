/** How many bytes behind a function are no one's, so that a hook may reach into them. */
import { linkedFieldsOf } from "../../../arch/registry.ts";
import type { ShippedProgram } from "./shipped-program.ts";

/** No hook reaches further behind a function. */
const MOST_PADDING = 16;
/** What linkers align functions to. */
const ALIGNMENT = 16;
/** A larger gap is no padding. */
const MOST_GAP = 4096;

/**
 * Bytes of padding from `end` on, at most `MOST_PADDING`. Either all up to the
 * next thing that is known to start is padding, or all up to where the next function
 * is aligned: code that nothing tells of does not start with a filler in between.
 */
export function paddingBehind(end: number, shipped: ShippedProgram): number {
  const gap = shipped.nextKnown(end) - end;
  const aligned = Math.ceil(end / ALIGNMENT) * ALIGNMENT - end;
  const room = isFiller(shipped, end, gap) ? gap : Math.min(gap, aligned);
  return isFiller(shipped, end, room) ? Math.min(room, MOST_PADDING) : 0;
}

function isFiller(shipped: ShippedProgram, start: number, size: number): boolean {
  if (size <= 0 || size > MOST_GAP) return false;
  const bytes = shipped.bytes(start, size);
  return bytes !== undefined && linkedFieldsOf(shipped.arch).isPadding(bytes, size);
}
