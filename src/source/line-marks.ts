/** Keeps the line numbers of code that a diff only moves: __LINE__ is in the code of WARN, might_sleep and others. */
import { diffArrays } from "diff/lib/diff/array.js";
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
  keepMoved(before, after, kept);
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

/** Lines, at least, that are the same in a row: fewer stand anywhere. */
const SHORTEST_MOVED = 4;
const MOST_PLACES = 32;

/** Adds to `kept` what has gone from one place and stands, as it was, in another one: a function that is moved. */
function keepMoved(before: readonly string[], after: readonly string[], kept: (number | undefined)[]): void {
  const taken = new Set(kept);
  const places = new Map<string, number[]>();
  for (const [from, line] of before.entries())
    if (!taken.has(from) && line.trim().length > 1) places.set(line, [...(places.get(line) ?? []), from]);
  const lengthOf = (from: number, to: number): number => {
    let length = 0;
    while (
      to + length < after.length &&
      before[from + length] === after[to + length] &&
      kept[to + length] === undefined &&
      !taken.has(from + length)
    )
      length++;
    return length;
  };
  for (let to = 0; to < after.length; to++) {
    const candidates = kept[to] === undefined ? (places.get(after[to] as string) ?? []).slice(0, MOST_PLACES) : [];
    const runs = candidates.map((from) => ({ from, length: lengthOf(from, to) }));
    const longest = runs.reduce((best, each) => (each.length > best.length ? each : best), { from: 0, length: 0 });
    if (longest.length < SHORTEST_MOVED) continue;
    for (let i = 0; i < longest.length; i++) {
      kept[to + i] = longest.from + i;
      taken.add(longest.from + i);
    }
    to += longest.length - 1;
  }
}
