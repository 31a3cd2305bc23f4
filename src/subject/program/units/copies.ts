/** Builds that compile copies of the source, one for each flavour of a program: what changes a file changes its copies. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { copyDirectories } from "../../../provider/program/copied-sources.ts";
import type { ChangedFile } from "../../../source/diffs/diff-input.ts";
import type { Program } from "../program.ts";

/** The files, and with each those that are equal to it below a directory that the program was compiled in. */
export function withCopies({ tree, units }: Program, files: readonly ChangedFile[]): ChangedFile[] {
  const directories = copyDirectories(
    tree,
    units.map(({ source }) => source),
  );
  const all = files.flatMap((file) => {
    const copies = directories.map((prefix) => ({ ...file, path: `${prefix}/${file.path}` }));
    return [file, ...copies.filter((copy) => isCopy(join(tree, copy.path), file))];
  });
  return [...new Map(all.map((file) => [file.path, file])).values()];
}

function isCopy(path: string, { original }: ChangedFile): boolean {
  if (original === undefined) return !existsSync(path) && existsSync(dirname(path));
  return existsSync(path) && readFileSync(path, "latin1") === original;
}
