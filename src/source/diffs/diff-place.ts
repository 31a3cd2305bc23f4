/** Where in a text a diff's hunks belong. */
import type { StructuredPatchHunk } from "diff";

/** Where a hunk's old lines stand, whole and unchanged; lines are counted from 1. */
export type HunkPlace =
  /** The hunk's first old line, from 1. */
  | { readonly kind: "at"; readonly line: number }
  /** Not where its header says, and at several places: the first of them. */
  | { readonly kind: "ambiguous"; readonly lines: readonly number[] }
  | { readonly kind: "nowhere" };

/** Places that are told of. */
const TOLD = 4;

/**
 * Finds each hunk's place: the line that its header names, moved as the hunk
 * before it was; else the one place behind that hunk where all its old lines
 * stand. Nothing is guessed: two such places are ambiguous, and lines that are
 * only added, with nothing around them, have a place in an empty file alone.
 */
export function placeHunks(hunks: readonly StructuredPatchHunk[], text: string): HunkPlace[] {
  const lines = text.split("\n");
  const places: HunkPlace[] = [];
  let [moved, from] = [0, 0];
  for (const hunk of hunks) {
    const old = hunk.lines.filter((line) => !/^[+\\]/.test(line)).map((line) => line.slice(1));
    const named = Math.max(hunk.oldStart, 1) - 1;
    const place = placeOf(old, lines, named + moved, from);
    places.push(place);
    if (place.kind !== "at") return places;
    moved = place.line - 1 - named;
    from = place.line - 1 + old.length;
  }
  return places;
}

function placeOf(old: readonly string[], lines: readonly string[], named: number, from: number): HunkPlace {
  if (old.length === 0) {
    const isEmpty = lines.every((line) => line === "");
    return isEmpty ? { kind: "at", line: 1 } : { kind: "ambiguous", lines: [] };
  }
  if (named >= from && standsAt(old, lines, named)) return { kind: "at", line: named + 1 };
  const found: number[] = [];
  for (let at = from; at + old.length <= lines.length && found.length < TOLD; at++)
    if (standsAt(old, lines, at)) found.push(at + 1);
  const [line] = found;
  if (line === undefined) return { kind: "nowhere" };
  return found.length === 1 ? { kind: "at", line } : { kind: "ambiguous", lines: found };
}

function standsAt(old: readonly string[], lines: readonly string[], at: number): boolean {
  return old.every((line, i) => lines[at + i] === line);
}
