/** New functions and variables that no code of their own unit uses, and that code of another unit of the diff does. */
import type { ObjectDiff } from "../diff/object-diff.ts";
import { externalsOf } from "../diff/selection.ts";

interface Diffed {
  readonly diff: ObjectDiff;
}

/**
 * The diffs with what they want of each other; what comes along for that may
 * want more. @param again the same diff made with names that others want
 */
export function withWanted<Each extends Diffed>(
  diffs: readonly Each[],
  again: (each: Each, index: number, wanted: ReadonlySet<string>) => Each,
): Each[] {
  let all = [...diffs];
  for (let known = new Set<string>(); ; ) {
    const wanted = new Set(all.flatMap(({ diff }) => [...externalsOf(diff.selection.pieces)]));
    if ([...wanted].every((name) => known.has(name))) return all;
    known = wanted;
    all = all.map((each, i) => (bringsAny(each, wanted) ? again(each, i, wanted) : each));
  }
}

function bringsAny({ diff: { patched, pairing } }: Diffed, wanted: ReadonlySet<string>): boolean {
  return [...wanted].some((name) => {
    const atom = patched.definitions.get(name);
    return atom !== undefined && !pairing.originalOf.has(atom);
  });
}
