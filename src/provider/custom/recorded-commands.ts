/** What kbuild has run, by the records (`.NAME.cmd`) that it leaves beside what it makes. */
import { readdir, readFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { splitWords } from "../kernel/kbuild-words.ts";

/** How one file was made. */
export interface RecordedCommand {
  /** As make calls it: absolute, or from where it ran. */
  readonly target: string;
  /** Below the directory that was looked through. */
  readonly path: string;
  /** The programs that ran one after another, each with its arguments. */
  readonly runs: readonly (readonly string[])[];
}

/** What stands before a compiler to keep or to spread its work. */
const WRAPPERS = new Set(["ccache", "sccache", "distcc", "icecc"]);
/** What no build makes, and may be large. */
const PASSED_OVER = new Set([".git", ".hg", ".svn", "node_modules"]);

/** Of all files below a directory, those of which there is a record, by path. */
export async function recordedCommands(directory: string): Promise<RecordedCommand[]> {
  const found: RecordedCommand[] = [];
  for (const file of await recordsBelow(directory)) {
    const command = commandIn(await readFile(file, "utf8"));
    if (command === undefined) continue;
    const path = join(dirname(relative(directory, file)), basename(file).slice(1, -".cmd".length));
    found.push({ ...command, path });
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function recordsBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const inner = entries
    .filter((entry) => entry.isDirectory() && !PASSED_OVER.has(entry.name))
    .map(({ name }) => recordsBelow(join(directory, name)));
  const here = entries.filter((entry) => entry.isFile() && /^\..+\.cmd$/.test(entry.name));
  return [...here.map(({ name }) => join(directory, name)), ...(await Promise.all(inner)).flat()];
}

/**
 * The first command of a record, which says `savedcmd_TARGET := ` since Linux 6.4 and
 * `cmd_TARGET := ` before; undefined for a file that has none.
 */
export function commandIn(record: string): Pick<RecordedCommand, "target" | "runs"> | undefined {
  const [, target, text] = /^(?:saved)?cmd_(\S+) := (.*)$/m.exec(record) ?? [];
  if (target === undefined || text === undefined) return undefined;
  // It is written for make to read.
  const words = splitWords(text.replaceAll("$(pound)", "#").replaceAll("$$", "$"));
  const runs: string[][] = [[]];
  for (const word of words) {
    if (word === ";") runs.push([]);
    else runs.at(-1)?.push(word);
  }
  return { target, runs: runs.filter((run) => run.length > 0) };
}

/** The words of a compile from the compiler on. */
export function withoutWrappers(words: readonly string[]): readonly string[] {
  const from = words.findIndex((word) => !WRAPPERS.has(basename(word)));
  return from < 0 ? [] : words.slice(from);
}
