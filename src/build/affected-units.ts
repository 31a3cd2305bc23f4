/** Which translation units the changed files reach. */
import type { Cache } from "../lib/cache.ts";
import type { Progress } from "../lib/progress.ts";
import type { Note } from "../patch/metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { Compiler } from "./compiler.ts";
import { notBuilt } from "./diff-findings.ts";
import type { ChangedFile } from "./diff-input.ts";
import type { Kernel } from "./kernel.ts";
import type { Unit } from "./unit.ts";
import { allUnits, unitsOf } from "./units-file.ts";

export interface AffectedUnits {
  readonly units: readonly Unit[];
  readonly refusals: readonly Refusal[];
  readonly notes: readonly Note[];
}

export interface AffectedOptions {
  readonly cache: Cache;
  readonly compiler: Compiler;
  readonly jobs: number;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
}

export async function affectedUnits(
  kernel: Kernel,
  files: readonly ChangedFile[],
  options: AffectedOptions,
): Promise<AffectedUnits> {
  const units = new Map<string, Unit>();
  const refusals: Refusal[] = [];
  const notes: Note[] = [];
  const included: string[] = [];
  for (const file of files) {
    const own = file.kind === "source" ? await unitsOf(kernel, file.path) : [];
    for (const unit of own) units.set(unit.object, unit);
    if (file.patched === undefined && own.length > 0) refusals.push(removedRefusal(file.path));
    if (own.length === 0) included.push(file.path);
  }
  if (included.length > 0) {
    const { openIncludeGraph } = await import("./include-graph.ts");
    const graph = await openIncludeGraph(kernel, options.cache, options);
    const all = await allUnits(kernel);
    for (const path of included) {
      const includers = graph.includersOf([path]);
      const reached = all.filter(({ source }) => includers.has(source));
      for (const unit of reached) units.set(unit.object, unit);
      if (reached.length === 0) notes.push(notBuilt(path));
    }
  }
  return { units: [...units.values()].sort((a, b) => (a.object < b.object ? -1 : 1)), refusals, notes };
}

function removedRefusal(path: string): Refusal {
  return refusal(
    "FILE_REMOVED",
    `${path} is removed, and the running kernel goes on with what was compiled from it`,
    path,
    "keep the file, and change its functions",
  );
}
