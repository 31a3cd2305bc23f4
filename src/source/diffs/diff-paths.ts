/** From the names in a diff to paths in the source tree. */
import { dirname } from "node:path/posix";
import { SutureError } from "../../lib/error.ts";
import type { FileDiff } from "./diff-parse.ts";

/** How the names in a diff are to be read; paths that `isThere` is asked for are relative to the tree. */
export interface PathOptions {
  /** The source tree, absolute: names below it are taken as they are. */
  readonly tree: string;
  readonly isThere: (path: string) => boolean;
  /** How many leading directories of the names to drop; undefined: what fits the most of its files. */
  readonly strip: number | undefined;
}

/** What names mostly begin with comes first: `a/` and `b/`. */
const FIRST_LEVELS = [1, 0];
const DEEPEST = 64;

/**
 * How many leading directories the names of one diff have beside the tree's: one
 * number for all of its files, since one command made it. Of equally good
 * ones the usual one.
 */
export function stripLevel(files: readonly FileDiff[], options: PathOptions): number {
  if (options.strip !== undefined) return options.strip;
  const deepest = Math.min(DEEPEST, Math.max(0, ...files.flatMap(namesOf).map((name) => name.split("/").length - 1)));
  const levels = [...FIRST_LEVELS, ...Array.from({ length: Math.max(0, deepest - 1) }, (_, i) => i + 2)];
  let [best, most] = [1, 0];
  for (const level of levels) {
    const fitting = files.filter((file) => fits(file, level, options)).length;
    if (fitting > most) [best, most] = [level, fitting];
  }
  return best;
}

/**
 * The file's path in the tree: of both names the one that is there, as patch(1)
 * takes it. Throws `BAD_DIFF_PATH` for a name that leads out of the tree.
 */
export function pathOf(file: FileDiff, level: number, options: PathOptions): string {
  for (const name of namesOf(file)) checkName(name, file.diff);
  const usable = candidates(file, level, options);
  const path = usable.find((each) => options.isThere(each)) ?? usable[0];
  const outside = namesOf(file).find((name) => name.startsWith("/"));
  if (outside !== undefined && (path === undefined || !options.isThere(path))) throw leadsOut(outside, file.diff);
  if (path !== undefined) return path;
  throw new SutureError("BAD_DIFF_PATH", `no path is left of ${namesOf(file)[0] ?? ""} without its first directories`, {
    where: file.diff,
    hint: "give a smaller number with -p",
  });
}

/** A new file fits where its directory is there. */
function fits(file: FileDiff, level: number, options: PathOptions): boolean {
  const paths = candidates(file, level, options);
  if (file.oldName !== undefined) return paths.some(options.isThere);
  return paths.map(dirname).some((directory) => directory !== "." && options.isThere(directory));
}

function namesOf({ newName, oldName }: FileDiff): string[] {
  return [newName, oldName].filter((name) => name !== undefined);
}

/** The paths that its names may mean, the new one's first; none where there are no more directories than are dropped. */
export function candidates(file: FileDiff, level: number, { tree }: PathOptions): string[] {
  return namesOf(file).flatMap((name) => {
    if (name.startsWith(`${tree}/`)) return [joined(name.slice(tree.length + 1).split("/"))];
    const path = joined(name.replace(/^\/+/, "").split("/").slice(level));
    return path === "" ? [] : [path];
  });
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== "" && part !== ".").join("/");
}

function checkName(name: string, diff: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (name.split("/").includes("..") || /[\u0000-\u001f\\]/.test(name)) throw leadsOut(name, diff);
}

function leadsOut(name: string, diff: string): SutureError {
  return new SutureError("BAD_DIFF_PATH", `the diff names a file outside the source: ${JSON.stringify(name)}`, {
    where: diff,
    hint: "make the diff in the top directory of the source",
  });
}
