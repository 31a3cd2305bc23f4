import type { Mapping } from "../os/mappings.ts";
import { nativeWords, PAGE } from "../os/native.ts";

/** Memory without a gap that can be read and written: stacks lie in such areas. */
export interface StackArea {
  readonly start: number;
  readonly end: number;
  /** Whether the kernel made it as the stack of the process's first thread. */
  readonly isFirst: boolean;
}

/** Adjacent mappings are one area: a stack can consist of several, since protection and advice split them. */
export function stackAreas(mappings: readonly Mapping[]): StackArea[] {
  const areas: { start: number; end: number; isFirst: boolean }[] = [];
  for (const { start, end, readable, writable, name } of mappings) {
    if (!readable || !writable) continue;
    const isFirst = name === "[stack]";
    const last = areas.at(-1);
    if (last?.end === start) {
      last.end = end;
      last.isFirst ||= isFirst;
    } else areas.push({ start, end, isFirst });
  }
  return areas;
}

/** Of the thread descriptor, as far as it is searched: glibc's has about 2,300 bytes. */
const DESCRIPTOR_SIZE = 2304;
const MOST_GUARD = 1 << 30;

/**
 * The stack of a thread that is not the first one: both glibc and musl put the
 * thread's descriptor, which the thread pointer points to, at the top of
 * its stack, and keep start and size of the block in it, one after the other, also
 * where the program brought the block. undefined where there is nothing like it.
 */
export function threadStack(
  threadPointer: number,
  area: StackArea,
  read: (address: number, length: number) => Buffer | undefined,
): StackArea | undefined {
  const length = Math.min(DESCRIPTOR_SIZE, area.end - threadPointer);
  const descriptor = length >= 16 ? read(threadPointer, length) : undefined;
  if (descriptor === undefined) return undefined;
  const words = nativeWords();
  for (let at = 0; at + 16 <= length; at += 8) {
    const start = words.size(descriptor, at);
    const end = start + words.size(descriptor, at + 8);
    // A block of glibc's own has its guard in it, which belongs to no area.
    const first = start % PAGE === 0 && end % PAGE === 0 ? area.start - MOST_GUARD : area.start;
    if (first <= start && start < threadPointer && threadPointer < end && end <= area.end) {
      return { start, end: threadPointer, isFirst: false };
    }
  }
  return undefined;
}

/** How far above the outermost frame a thread's descriptor is looked for. */
const SEARCHED = 1 << 14;

/** The thread pointer of the thread whose outermost frame ends here: both C libraries have it point to itself. */
export function threadPointerAbove(
  end: number,
  area: StackArea,
  read: (address: number, length: number) => Buffer | undefined,
): number | undefined {
  const start = end - (end % 8);
  const length = Math.min(SEARCHED, area.end - start);
  const data = length >= 8 ? read(start, length) : undefined;
  if (data === undefined) return undefined;
  const words = nativeWords();
  for (let at = 0; at + 8 <= length; at += 8) {
    if (words.size(data, at) === start + at) return start + at;
  }
  return undefined;
}
