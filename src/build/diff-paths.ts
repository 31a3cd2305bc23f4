/** From the names in a diff to paths in the source tree. */
import { SutureError } from "../lib/error.ts";
import type { FileDiff } from "./diff-parse.ts";

export interface PathOptions {
  readonly isThere: (path: string) => boolean;
  /** How many leading directories of the names to drop; undefined: one, or none where that leads to a file. */
  readonly strip: number | undefined;
}

/** The file's path in the tree: of both names the one that is there, as patch(1) takes it. */
export function pathOf(file: FileDiff, options: PathOptions): string {
  const names = [file.newName, file.oldName].filter((name) => name !== undefined);
  const levels = options.strip === undefined ? [1, 0] : [options.strip];
  const candidates = levels.flatMap((level) => names.map((name) => stripped(name, level, file.diff)));
  const usable = candidates.filter((path) => path !== undefined);
  const existing = usable.find((path) => options.isThere(path));
  const path = existing ?? usable[0];
  if (path !== undefined) return path;
  throw new SutureError("BAD_DIFF_PATH", `no path is left of ${names[0] ?? ""} without its first directories`, {
    where: file.diff,
    hint: "give a smaller number with -p",
  });
}

/** Throws `BAD_DIFF_PATH` for a name that leads out of the tree. */
function stripped(name: string, level: number, diff: string): string | undefined {
  const parts = name.split("/");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (name.startsWith("/") || parts.includes("..") || /[\u0000-\u001f\\]/.test(name)) {
    throw new SutureError("BAD_DIFF_PATH", `the diff names a file outside the source: ${JSON.stringify(name)}`, {
      where: diff,
      hint: "make the diff in the top directory of the source",
    });
  }
  const path = parts
    .slice(level)
    .filter((part) => part !== "" && part !== ".")
    .join("/");
  return path === "" ? undefined : path;
}
