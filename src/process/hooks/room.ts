/** Free addresses near an object, so that jumps reach both ways. */

import type { CodeRange } from "../../core/machine.ts";
import { type OwnRefusal, refusal } from "../../patch/refusal.ts";
import { nativeHook, nativeLoad, PAGE } from "../os/native.ts";

/** A mapping of the process, as far as placing needs it. */
export interface Occupied extends CodeRange {
  readonly name: string;
}

const GIB = 2 ** 30;
/** Below this nothing is mapped, whatever vm.mmap_min_addr says. */
const LOWEST = 1 << 20;
/** What the heap may grow by before it meets us, where there is a choice. */
const HEAP_GROWTH = 1.5 * GIB;
/** What the first thread's stack may grow by. */
const STACK_GROWTH = 256 << 20;

/**
 * `size` bytes (whole pages) from which every byte of `near` is in reach, and the
 * other way round; as near as possible, a free page on both sides. undefined where there is none.
 *
 * @param mappings in the order of their addresses
 */
export function findRoom(mappings: readonly Occupied[], near: CodeRange, size: number): CodeRange | undefined {
  // Less what an instruction can be long.
  const reach = nativeHook().reach - PAGE;
  const end = nativeLoad().addressEnd - PAGE;
  const lowest = Math.max(LOWEST, near.end - reach);
  const highest = Math.min(end, near.start + reach);
  for (const heapGrowth of [HEAP_GROWTH, HEAP_GROWTH / 16]) {
    let best: number | undefined;
    let previousEnd = 0;
    let previousName = "";
    for (const next of [...mappings, { start: end, end, name: "" }]) {
      const low = pageUp(Math.max(lowest, previousEnd + (previousName === "[heap]" ? heapGrowth : PAGE)));
      const high = Math.min(highest, next.start - (next.name === "[stack]" ? STACK_GROWTH : PAGE));
      const start = high - size >= near.start ? low : pageDown(high - size);
      if (start >= low && start + size <= high) {
        if (best === undefined || distance(start, near) < distance(best, near)) best = start;
      }
      previousEnd = Math.max(previousEnd, next.end);
      previousName = next.name;
    }
    if (best !== undefined) return { start: best, end: best + size };
  }
  return undefined;
}

/** That there is none. @param where what the code that it should be near to belongs to */
export function noRoom(near: { readonly start: number }, size: number, where: string): OwnRefusal {
  return refusal(
    "NO_ROOM_IN_REACH",
    `no ${size} bytes are free within ${nativeHook().reach / GIB} GiB of 0x${near.start.toString(16)}`,
    where,
    "the program maps memory all around its code; it can only be patched from before it does",
  );
}

function distance(start: number, near: CodeRange): number {
  return start < near.start ? near.start - start : start - near.end;
}

function pageUp(address: number): number {
  return Math.ceil(address / PAGE) * PAGE;
}

function pageDown(address: number): number {
  return Math.floor(address / PAGE) * PAGE;
}
