/** Which translation units the changed files reach. */
import { basename } from "node:path";
import type { Cache } from "../lib/cache.ts";
import { mapParallel } from "../lib/parallel.ts";
import type { Progress } from "../lib/progress.ts";
import { temporaryDirectory } from "../lib/temp.ts";
import type { Note } from "../patch/metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { Compiler } from "./compiler.ts";
import { notBuilt, refusalFor } from "./diff-findings.ts";
import type { ChangedFile } from "./diff-input.ts";
import { fileKind } from "./file-kinds.ts";
import type { Kernel } from "./kernel.ts";
import { changesOf, layOutView, viewDirectory } from "./tree.ts";
import type { Unit } from "./unit.ts";
import { unitsOf } from "./units-file.ts";

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

/**
 * The units whose source changes, and those that include a changed file and
 * whose code it can reach. The include graph is asked for only where a header,
 * or a C file that others include, is changed.
 */
export async function affectedUnits(
  kernel: Kernel,
  files: readonly ChangedFile[],
  options: AffectedOptions,
): Promise<AffectedUnits> {
  const units = new Map<string, Unit>();
  const refusals: Refusal[] = [];
  const notes: Note[] = [];
  const included: ChangedFile[] = [];
  for (const file of files) {
    const own = file.kind === "source" ? await unitsOf(kernel, file.path) : [];
    const running = own.filter(isRunning);
    if (own.length === 0) included.push(file);
    else if (file.patched === undefined) refusals.push(removedRefusal(file.path));
    else if (running.length === 0) refusals.push(notRunning(file.path));
    else for (const unit of running) units.set(unit.object, unit);
  }
  const known = included.filter(({ original }) => original !== undefined);
  const reached = known.length === 0 ? new Map<string, Unit>() : await includingUnits(kernel, known, notes, options);
  for (const object of units.keys()) reached.delete(object);
  for (const unit of await changedByIncludes(kernel, [...reached.values()], files, notes, options)) {
    units.set(unit.object, unit);
  }
  for (const file of included) {
    if (file.original === undefined && !isIncludedByChange(file, files)) notes.push(notBuilt(file.path));
  }
  return { units: [...units.values()].sort((a, b) => (a.object < b.object ? -1 : 1)), refusals, notes };
}

function isRunning({ lands }: Unit): boolean {
  return lands.kind !== "elsewhere";
}

/** The units that may include one of the files, by object. */
async function includingUnits(
  kernel: Kernel,
  files: readonly ChangedFile[],
  notes: Note[],
  options: AffectedOptions,
): Promise<Map<string, Unit>> {
  const { openIncludeGraph } = await import("./include-graph.ts");
  const graph = await openIncludeGraph(kernel, options.cache, options);
  const units = new Map<string, Unit>();
  for (const { path } of files) {
    const sources = [...graph.includersOf([path])].filter((each) => each.endsWith(".c"));
    const lists = await Promise.all(sources.map((source) => unitsOf(kernel, source)));
    const reached = lists.flat().filter(isRunning);
    for (const unit of reached) units.set(unit.object, unit);
    if (reached.length === 0) notes.push(notBuilt(path));
  }
  return units;
}

/** The rest has the same code: the compiler is asked rather than the graph, which knows nothing of conditions. */
async function changedByIncludes(
  kernel: Kernel,
  units: readonly Unit[],
  files: readonly ChangedFile[],
  notes: Note[],
  options: AffectedOptions,
): Promise<Unit[]> {
  if (units.length === 0) return [];
  const { reachOf } = await import("./preprocess.ts");
  const { reachNotes } = await import("./reach/notes.ts");
  const { cache, compiler, jobs, progress } = options;
  await using views = await viewDirectory();
  await using lists = await temporaryDirectory();
  const view = layOutView(kernel.source, views.path, changesOf(files));
  progress.step(`preprocess ${units.length} files`);
  let done = 0;
  const reaches = await mapParallel(
    units,
    jobs,
    async (unit, _, signal) => {
      const reach = await reachOf(unit, view, { kernel, compiler, cache, into: lists.path, signal });
      progress.tick(++done, units.length);
      return reach;
    },
    options.signal,
  );
  notes.push(...reachNotes(reaches));
  return units.filter((_, i) => reaches[i]?.kind === "reached");
}

/** By name: where it is found is the compiler's business. */
function isIncludedByChange({ path }: ChangedFile, files: readonly ChangedFile[]): boolean {
  const name = basename(path).replace(/[.+]/g, "\\$&");
  const include = new RegExp(`^[ \\t]*#[ \\t]*include[ \\t]*["<](.*/)?${name}[">]`, "m");
  return files.some(({ patched }) => patched !== undefined && include.test(patched));
}

function notRunning(path: string): Refusal {
  return refusalFor(path, fileKind(path, "x86") === "vdso" ? "vdso" : "boot");
}

function removedRefusal(path: string): Refusal {
  return refusal(
    "FILE_REMOVED",
    `${path} is removed, and the running kernel goes on with what was compiled from it`,
    path,
    "keep the file, and change its functions",
  );
}
