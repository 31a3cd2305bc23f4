/** Which chunks two texts have in common, in order. */
import { diffArrays } from "diff/lib/diff/array.js";
import { DIGEST } from "./chunks.ts";

/** What is left of two texts when what they have in common is taken away, by the numbers of their chunks, from 0. */
export interface Alignment {
  /** Chunks of the original that are not in common, and how many of the patched text's chunks come before each. */
  readonly removed: readonly { readonly index: number; readonly before: number }[];
  /** Chunks of the patched text that are not in common. */
  readonly added: readonly number[];
}

/** Chunks in which two texts may differ; with more, they count as different throughout. */
const MOST_CHANGED = 400;

/** @param original digests of its chunks, as `patched`; undefined where they differ in too much */
export function alignChunks(original: Buffer, patched: Buffer): Alignment | undefined {
  const [countBefore, countAfter] = [original.length / DIGEST, patched.length / DIGEST];
  const isEqual = (i: number, j: number): boolean =>
    original.compare(patched, j * DIGEST, (j + 1) * DIGEST, i * DIGEST, (i + 1) * DIGEST) === 0;
  const least = Math.min(countBefore, countAfter);
  let start = 0;
  while (start < least && isEqual(start, start)) start++;
  let end = 0;
  while (end < least - start && isEqual(countBefore - 1 - end, countAfter - 1 - end)) end++;
  const parts = diffArrays(digestsIn(original, start, countBefore - end), digestsIn(patched, start, countAfter - end), {
    maxEditLength: MOST_CHANGED,
  });
  if (parts === undefined) return undefined;
  const removed: { index: number; before: number }[] = [];
  const added: number[] = [];
  let [i, j] = [start, start];
  for (const { value, ...part } of parts) {
    for (const _ of value) {
      if (part.removed) removed.push({ index: i++, before: j });
      else if (part.added) added.push(j++);
      else [i, j] = [i + 1, j + 1];
    }
  }
  return { removed, added };
}

function digestsIn(digests: Buffer, from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) =>
    digests.toString("latin1", (from + i) * DIGEST, (from + i + 1) * DIGEST),
  );
}
