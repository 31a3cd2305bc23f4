/** Of the units that a header may reach, the one by which a change of a layout is seen first. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Unit } from "../../../provider/kernel/unit.ts";
import type { ChangedFile } from "../../../source/diffs/diff-input.ts";

/**
 * The unit whose own text has most of the words that the changed lines of headers
 * have, and of the types that these lines are in, and has them most often;
 * undefined where none has any. It is a guess: what is not seen by it is seen later.
 */
export function mostConcerned(units: readonly Unit[], files: readonly ChangedFile[], tree: string): Unit | undefined {
  const words = new Set(files.filter(({ kind }) => kind === "header").flatMap(wordsOf));
  if (words.size === 0) return undefined;
  let most: { readonly unit: Unit; readonly count: number } | undefined;
  const counts = new Map<string, number>();
  for (const unit of units) {
    const count = counts.get(unit.source) ?? countIn(join(tree, unit.source), words);
    counts.set(unit.source, count);
    if (count > (most?.count ?? 0)) most = { unit, count };
  }
  return most?.unit;
}

/** Of the lines that only one side has, and the tags of the types at the top of which they are. */
function wordsOf({ original = "", patched = "" }: ChangedFile): string[] {
  const [before, after] = [original.split("\n"), patched.split("\n")];
  const [was, is] = [new Set(before), new Set(after)];
  return [...changedIn(before, is), ...changedIn(after, was)];
}

function changedIn(lines: readonly string[], other: ReadonlySet<string>): string[] {
  const words: string[] = [];
  let tag: string | undefined;
  for (const line of lines) {
    const begins = /^(?:typedef\s+)?(?:struct|union|enum)\s+(\w+)[^;]*\{/.exec(line);
    if (begins !== null) tag = begins[1];
    else if (/^\}/.test(line)) tag = undefined;
    if (other.has(line)) continue;
    words.push(...(line.match(WORD) ?? []), ...(tag === undefined ? [] : [tag]));
  }
  return words;
}

/** Shorter ones are everywhere. */
const WORD = /[A-Za-z_]\w{3,}/g;

/** How many of the words a file has, and, where that is equal, how often. */
function countIn(path: string, words: ReadonlySet<string>): number {
  try {
    const found = (readFileSync(path, "latin1").match(WORD) ?? []).filter((word) => words.has(word));
    return new Set(found).size + Math.min(found.length, OFTEN) / (OFTEN + 1);
  } catch {
    return 0;
  }
}

const OFTEN = 10_000;
