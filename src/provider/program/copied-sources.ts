/** Builds that compile copies of the source, one for each flavour of a program. */
import { existsSync } from "node:fs";
import { join } from "node:path";

/**
 * The directories, below the tree, that a program was compiled in and that hold a copy of it.
 * @param sources of its translation units, relative to the tree
 */
export function copyDirectories(tree: string, sources: readonly string[]): string[] {
  return [...new Set(sources.flatMap((source) => prefixOf(source, tree) ?? []))];
}

/** The first directories of a source that is also there without them. */
function prefixOf(source: string, tree: string): string | undefined {
  const parts = source.split("/");
  // The file's name alone is found by chance.
  for (let i = 1; i < parts.length - 1; i++)
    if (existsSync(join(tree, ...parts.slice(i)))) return parts.slice(0, i).join("/");
  return undefined;
}
