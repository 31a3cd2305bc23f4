import type { TryRead } from "../../../arch/call-code.ts";
import type { Mapping } from "../../os/mappings.ts";
import { stackAreas, threadStack } from "../stack-areas.ts";

/** How far below the end of its memory musl puts a thread's descriptor at most. */
const NEAR_END = 1 << 16;

/** Half-open. */
export interface Block {
  readonly start: number;
  readonly end: number;
}

/**
 * The stacks of threads, those too that have ended and whose memory the C library keeps: what
 * lies there of a thread that lives is told by its frames, and nothing of the others is ever
 * returned to. A descriptor, at a stack's upper end, begins with its own address; glibc's has it twice.
 *
 * @param selves words that are their own address, and whether it lies there again two words further
 */
export function threadBlocks(
  selves: readonly { readonly at: number; readonly isTwice: boolean }[],
  mappings: readonly Mapping[],
  read: TryRead,
): Block[] {
  const areas = stackAreas(mappings);
  const blocks: Block[] = [];
  for (const { at, isTwice } of selves) {
    const mapping = mappings.find(({ start, end }) => start <= at && at < end);
    const area = areas.find(({ start, end }) => start <= at && at < end);
    if (mapping === undefined || area === undefined || (!isTwice && mapping.end - at > NEAR_END)) continue;
    const stack = threadStack(at, area, read);
    if (stack !== undefined) blocks.push({ start: stack.start, end: stack.end });
  }
  return blocks;
}
