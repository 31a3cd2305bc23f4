/** Which translation units a changed file can reach. */
import type { Cache } from "../lib/cache.ts";
import { type IncludeEdges, type ScanOptions, scanIncludes } from "./include-scan.ts";
import type { Kernel } from "./kernel.ts";
import { allUnits } from "./units-file.ts";

/** To be raised when the same source gives another graph. */
const FORMAT = "1";

export interface IncludeGraph {
  /** All files that include one of these, directly or not. */
  includersOf(paths: readonly string[]): ReadonlySet<string>;
}

/** Scans the source on first need, and keeps what it finds; a source that may change is scanned each time. */
export async function openIncludeGraph(kernel: Kernel, cache: Cache, options: ScanOptions): Promise<IncludeGraph> {
  const entry = cache.entry("includes", [FORMAT, kernel.identity]);
  const kept = kernel.sourceMayChange ? undefined : await entry.read();
  if (kept !== undefined) return graphOf(JSON.parse(kept.toString()) as IncludeEdges);
  options.progress.step("finding out which files include which");
  const found = await scanIncludes(kernel.source, await allUnits(kernel), options);
  options.progress.done();
  if (!kernel.sourceMayChange) await entry.write(JSON.stringify(found));
  return graphOf(found);
}

function graphOf({ files, edges }: IncludeEdges): IncludeGraph {
  let byIncluded: Map<number, number[]> | undefined;
  return {
    includersOf(paths) {
      byIncluded ??= reversed(edges);
      const wanted = new Set(paths);
      const reached = new Set<number>();
      const waiting = [...files.keys()].filter((i) => wanted.has(files[i] as string));
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        for (const from of byIncluded.get(next) ?? []) {
          if (reached.has(from)) continue;
          reached.add(from);
          waiting.push(from);
        }
      }
      return new Set([...reached].map((i) => files[i] as string));
    },
  };
}

function reversed(edges: readonly number[]): Map<number, number[]> {
  const includers = new Map<number, number[]>();
  for (let i = 0; i < edges.length; i += 2) {
    const [from, to] = [edges[i] as number, edges[i + 1] as number];
    const known = includers.get(to);
    if (known === undefined) includers.set(to, [from]);
    else known.push(from);
  }
  return includers;
}
