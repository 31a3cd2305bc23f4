/** Which translation units a changed file can reach. */
import { basename } from "node:path";
import type { Cache } from "../../../lib/cache.ts";
import type { Kernel } from "../../../provider/kernel/kernel.ts";
import { allUnits } from "../../../provider/kernel/units-file.ts";
import { assemblyIn } from "./assembly-files.ts";
import { type IncludeEdges, isStandIn, nodesOf, type ScanOptions, scanIncludes } from "./include-scan.ts";

/** To be raised when the same source gives another graph. */
const FORMAT = "5";

/** A superset of what files read: conditions do not count. Paths are relative to the tree. */
export interface IncludeGraph {
  /** All files that may read one of these, directly or not. @param news of them, those that the tree does not have */
  readersOf(paths: readonly string[], news?: readonly string[]): ReadonlySet<string>;
  /** All files that units may read, and the units. */
  readonly files: readonly string[];
  /** The C files that others may read. */
  sourcesRead(): string[];
}

/** Scans the source on first need, and keeps what it finds; a source that may change is scanned each time. */
export async function openIncludeGraph(kernel: Kernel, cache: Cache, options: ScanOptions): Promise<IncludeGraph> {
  const entry = cache.entry("includes", [FORMAT, kernel.identity]);
  const kept = kernel.sourceMayChange ? undefined : await entry.read();
  if (kept !== undefined) return graphOf(JSON.parse(kept.toString()) as IncludeEdges);
  options.progress.step("finding out which files include which");
  const found = await scanIncludes(
    kernel.source,
    await allUnits(kernel),
    assemblyIn(kernel.source, kernel.arch),
    options,
  );
  options.progress.done();
  if (!kernel.sourceMayChange) await entry.write(JSON.stringify(found));
  return graphOf(found);
}

/**
 * The C files that others read: what a change to any other one reaches is its
 * own unit alone. Quick where the graph is kept.
 */
export async function readSources(kernel: Kernel, cache: Cache, options: ScanOptions): Promise<ReadonlySet<string>> {
  const entry = cache.entry("includes", ["sources", FORMAT, kernel.identity]);
  const kept = kernel.sourceMayChange ? undefined : await entry.read();
  if (kept !== undefined) return new Set(JSON.parse(kept.toString()) as string[]);
  const graph = await openIncludeGraph(kernel, cache, options);
  const found = graph.sourcesRead();
  if (!kernel.sourceMayChange) await entry.write(JSON.stringify(found));
  return new Set(found);
}

/** Looks nothing up until it is asked. */
export function graphOf({ files, edges }: IncludeEdges): IncludeGraph {
  let kept: { readonly readers: ReadonlyMap<number, readonly number[]>; readonly indexes: ReadonlyMap<string, number> };
  const index = () => {
    kept ??= { readers: reversed(edges), indexes: new Map(files.map((file, i) => [file, i])) };
    return kept;
  };
  const seedsOf = (path: string): number[] => {
    const { indexes } = index();
    return [path, ...nodesOf(path, (node) => indexes.has(node))].flatMap((node) => indexes.get(node) ?? []);
  };
  return {
    files: files.filter((path) => !isStandIn(path)),
    readersOf(paths, news = []) {
      const { readers } = index();
      const waiting = [...paths, ...news].flatMap(seedsOf);
      // A new file may be found in place of each one of its name.
      const named = new Set(news.map((path) => basename(path)));
      if (named.size > 0) for (const [i, file] of files.entries()) if (named.has(basename(file))) waiting.push(i);
      const reached = new Set<number>();
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        for (const from of readers.get(next) ?? []) {
          if (reached.has(from)) continue;
          reached.add(from);
          waiting.push(from);
        }
      }
      return new Set([...reached].map((i) => files[i] as string));
    },
    sourcesRead() {
      const { readers } = index();
      const isRead = (path: string, own: number): boolean =>
        seedsOf(path).some((seed) => (readers.get(seed) ?? []).some((reader) => reader !== own));
      return files.filter((file, i) => file.endsWith(".c") && isRead(file, i));
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
