/** Keeps the line numbers of code that a diff only moves: __LINE__ is in the code of WARN, might_sleep and others. */
import { diffArrays } from "diff";
import { scanLines } from "./line-scan.ts";

/**
 * The patched text with `#line` directives, by which every line that was there
 * before has the number that it had: from the first place after each change at
 * which a directive can stand, again after each #else and #endif, since one in
 * a branch that is not compiled has no effect.
 */
export function markLines(original: string, patched: string): string {
  const before = original.split("\n");
  const after = patched.split("\n");
  const kept = keptLines(before, after);
  if (kept.every((from, to) => from === undefined || from === to)) return patched;
  const states = scanLines(after);
  const marked: string[] = [];
  let wanted = false;
  let markedWithin = 0;
  let expected = 0;
  for (const [to, line] of after.entries()) {
    const from = kept[to];
    const state = states[to];
    if (from === undefined || state === undefined) {
      wanted = true;
    } else {
      wanted ||= from !== expected;
      if (wanted && state.safe && line !== "") {
        marked.push(`#line ${from + 1}`);
        markedWithin = state.conditions;
        wanted = false;
      }
      expected = from + 1;
    }
    if (state?.endsBranchOf !== undefined && state.endsBranchOf <= markedWithin && marked.length > to) {
      wanted = true;
      markedWithin = state.endsBranchOf - 1;
    }
    marked.push(line);
  }
  return marked.join("\n");
}

/** Edits beyond which a text counts as rewritten. */
const MAX_EDITS = 4000;

/** For each line of `after`, its index in `before`; undefined for one that is new. */
function keptLines(before: readonly string[], after: readonly string[]): (number | undefined)[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && before[before.length - 1 - end] === after[after.length - 1 - end]) end++;
  const kept: (number | undefined)[] = Array.from({ length: start }, (_, i) => i);
  let from = start;
  const middle = [before.slice(start, before.length - end), after.slice(start, after.length - end)] as const;
  const parts = diffArrays(middle[0] as string[], middle[1] as string[], { maxEditLength: MAX_EDITS });
  for (const part of parts ?? []) {
    if (part.removed) from += part.value.length;
    else for (const _ of part.value) kept.push(part.added ? undefined : from++);
  }
  if (parts === undefined) for (const _ of middle[1]) kept.push(undefined);
  for (let i = end; i > 0; i--) kept.push(before.length - i);
  return kept;
}
