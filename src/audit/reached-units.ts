/** Every unit that reads a changed file: more than a build compiles, since none is left out for what it makes of it. */

import type { Cache } from "../lib/cache.ts";
import type { Progress } from "../lib/progress.ts";
import type { Kernel } from "../provider/kernel/kernel.ts";
import type { Unit } from "../provider/kernel/unit.ts";
import { unitsOf } from "../provider/kernel/units-file.ts";
import type { ChangedFile } from "../source/diffs/diff-input.ts";
import { openIncludeGraph } from "../subject/kernel/units/include-graph.ts";

/**
 * Units of what runs, in the order of their objects: not those of a file that is
 * removed, nor those that end up `elsewhere`.
 */
export async function affectedBy(
  kernel: Kernel,
  files: readonly ChangedFile[],
  options: { readonly cache: Cache; readonly progress: Progress; readonly signal: AbortSignal | undefined },
): Promise<Unit[]> {
  const paths = files.map(({ path }) => path);
  const graph = await openIncludeGraph(kernel, options.cache, options);
  const news = files.filter(({ original }) => original === undefined).map(({ path }) => path);
  const readers = graph.readersOf(paths, news);
  const sources = [...new Set([...paths, ...readers])].filter((path) => path.endsWith(".c"));
  const units = (await Promise.all(sources.map((source) => unitsOf(kernel, source)))).flat();
  const isThere = new Map(files.map(({ path, patched }) => [path, patched !== undefined] as const));
  const running = units.filter(({ lands, source }) => lands.kind !== "elsewhere" && isThere.get(source) !== false);
  return [...new Map(running.map((unit) => [unit.object, unit])).values()].sort((a, b) =>
    a.object < b.object ? -1 : 1,
  );
}
