/** Builds that compile copies of the source, one for each flavour of a program: what changes a file changes its copies. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ChangedFile } from "../../../source/diffs/diff-input.ts";
import type { Program } from "../program.ts";

/** The files, and with each those that are equal to it below a directory that the program was compiled in. */
export function withCopies({ tree, units }: Program, files: readonly ChangedFile[]): ChangedFile[] {
  const prefixes = new Set(units.flatMap(({ source }) => prefixOf(source, tree) ?? []));
  const all = files.flatMap((file) => {
    const copies = [...prefixes].map((prefix) => ({ ...file, path: `${prefix}/${file.path}` }));
    return [file, ...copies.filter((copy) => isCopy(join(tree, copy.path), file))];
  });
  return [...new Map(all.map((file) => [file.path, file])).values()];
}

/** The first directories of a source that is also there without them. */
function prefixOf(source: string, tree: string): string | undefined {
  const parts = source.split("/");
  // The file's name alone is found by chance.
  for (let i = 1; i < parts.length - 1; i++)
    if (existsSync(join(tree, ...parts.slice(i)))) return parts.slice(0, i).join("/");
  return undefined;
}

function isCopy(path: string, { original }: ChangedFile): boolean {
  if (original === undefined) return !existsSync(path) && existsSync(dirname(path));
  return existsSync(path) && readFileSync(path, "latin1") === original;
}
