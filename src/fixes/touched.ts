/** What a patch touches: the definitions whose lines it changes, their names, and the names on these lines. */
import { diffArrays } from "diff";
import { type Definition, definitionsIn } from "./definitions.ts";
import type { PatchedFile } from "./patched-texts.ts";

/** Of one patch. */
export interface Touched {
  /** `path:kind name` of every definition of which a line is changed, comes or goes. */
  readonly definitions: ReadonlySet<string>;
  /** Names of such, members too, that other files may know. */
  readonly names: ReadonlySet<string>;
  /** Those that their file alone knows: `path:name`. */
  readonly ownNames: ReadonlySet<string>;
  /** Words on lines that are changed, by file. */
  readonly used: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Files in which there is something to be told. */
const CODE = /\.(c|cc|cpp|cxx|h|hh|hpp|hxx|inc|inl|def|x|y|l|S)$/i;

/** @param files before and after it */
export function touchedBy(files: readonly PatchedFile[]): Touched {
  const definitions = new Set<string>();
  const names = new Set<string>();
  const ownNames = new Set<string>();
  const used = new Map<string, ReadonlySet<string>>();
  for (const { path, before = "", after = "" } of files) {
    if (!CODE.test(path)) continue;
    const [removed, added] = changedLines(before.split("\n"), after.split("\n"));
    const words = new Set<string>();
    for (const [text, lines] of [
      [before, removed],
      [after, added],
    ] as const) {
      const all = text.split("\n");
      for (const line of lines) for (const word of wordsOf(all[line] ?? "")) words.add(word);
      for (const each of definitionsIn(text)) {
        const own = lines.filter((line) => line >= each.start && line < each.end);
        if (own.length === 0) continue;
        definitions.add(`${path}:${each.kind} ${each.names.join(" ")}`);
        const isHeader = !/\.(c|cc|cpp|cxx)$/i.test(path);
        for (const name of namesOf(each, own, all)) {
          if (each.isStatic && !isHeader) ownNames.add(`${path}:${name}`);
          else names.add(name);
        }
      }
    }
    used.set(path, words);
  }
  return { definitions, names, ownNames, used };
}

/** Whether two patches have a definition in common, or one uses what the other changes. */
export function isShared(a: Touched, b: Touched): boolean {
  return [...a.definitions].some((each) => b.definitions.has(each)) || uses(a, b) || uses(b, a);
}

/** Whether a line that `a` changes has a name that `b` changes the definition of. */
function uses(a: Touched, b: Touched): boolean {
  for (const [path, words] of a.used)
    for (const word of words) if (b.names.has(word) || b.ownNames.has(`${path}:${word}`)) return true;
  return false;
}

/** Of a type that is changed, what stands on the lines that are changed: its members. */
function namesOf({ kind, names }: Definition, lines: readonly number[], all: readonly string[]): string[] {
  if (kind !== "type") return [...names];
  return lines.flatMap((line) => {
    const text = (all[line] ?? "").replace(/\/\*.*?(\*\/|$)/g, "");
    return [...text.matchAll(/([A-Za-z_]\w*)\s*(?:\[[^\]]*\]\s*)*(?::\s*\w+\s*)?(?=[,;=)}]|$)/g)].map(
      ([, name]) => name as string,
    );
  });
}

/** Edits beyond which all between the texts' common start and end counts as changed. */
const MAX_EDITS = 4000;

/** Line numbers, from 0, that the one text alone has, and the other alone. */
function changedLines(before: readonly string[], after: readonly string[]): [removed: number[], added: number[]] {
  const least = Math.min(before.length, after.length);
  let start = 0;
  while (start < least && before[start] === after[start]) start++;
  let end = 0;
  while (end < least - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end++;
  const [from, to] = [before.slice(start, before.length - end), after.slice(start, after.length - end)];
  const parts = diffArrays(from, to, { maxEditLength: MAX_EDITS });
  if (parts === undefined) return [from.map((_, i) => start + i), to.map((_, i) => start + i)];
  const removed: number[] = [];
  const added: number[] = [];
  let [i, j] = [start, start];
  for (const { value, ...part } of parts)
    for (const _ of value) {
      if (part.removed) removed.push(i++);
      else if (part.added) added.push(j++);
      else [i, j] = [i + 1, j + 1];
    }
  return [removed, added];
}

/** Words of C that say nothing of what is used. */
const KEYWORDS = new Set(
  "__attribute__ auto break case char const continue default do double else enum extern float for goto if inline int long register return short signed sizeof static struct switch typedef union unsigned void volatile while bool true false NULL u8 u16 u32 u64 s8 s16 s32 s64 size_t ssize_t".split(
    " ",
  ),
);

function wordsOf(line: string): string[] {
  const text = line.replace(/"(?:[^"\\]|\\.)*"/g, " ").replace(/\/\*.*?(\*\/|$)|\/\/.*$/g, " ");
  return (text.match(/[A-Za-z_]\w*/g) ?? []).filter((word) => !KEYWORDS.has(word));
}
