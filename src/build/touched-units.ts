/** From changed files to the translation units that are to be compiled again. */
import { basename } from "node:path";
import type { Cache } from "../lib/cache.ts";
import type { Progress } from "../lib/progress.ts";
import type { Note } from "../patch/metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { notBuilt, refusalFor } from "./diff-findings.ts";
import type { ChangedFile } from "./diff-input.ts";
import { openIncludeGraph } from "./include-graph.ts";
import type { Kernel } from "./kernel.ts";
import type { Unit } from "./unit.ts";
import { unitsOf } from "./units-file.ts";

export interface TouchedUnit {
  readonly unit: Unit;
  /** Its own source changes; else it may include a file that does. */
  readonly isChanged: boolean;
}

export interface Touched {
  readonly units: readonly TouchedUnit[];
  readonly refusals: readonly Refusal[];
  readonly notes: readonly Note[];
}

export interface TouchedOptions {
  readonly cache: Cache;
  readonly progress: Progress;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Whether a file is compiled into the kernel or a module of it, whatever its
 * path looks like; to be given to `readDiffs`.
 */
export function isKernelUnit(kernel: Kernel): (path: string) => Promise<boolean> {
  return async (path) => (await unitsOf(kernel, path)).some(({ lands }) => lands.kind !== "elsewhere");
}

/** The include graph is asked for only where a header, or a C file that others include, is changed. */
export async function findTouchedUnits(
  kernel: Kernel,
  files: readonly ChangedFile[],
  options: TouchedOptions,
): Promise<Touched> {
  const touched = new Map<string, TouchedUnit>();
  const refusals: Refusal[] = [];
  const notes: Note[] = [];
  const included: ChangedFile[] = [];
  for (const file of files) {
    const units = file.kind === "source" ? await unitsOf(kernel, file.path) : [];
    const ours = units.filter(({ lands }) => lands.kind !== "elsewhere");
    if (units.length === 0) included.push(file);
    else if (file.patched === undefined) refusals.push(deleted(file.path));
    else if (ours.length === 0) refusals.push(refusalFor(file.path, "boot"));
    for (const unit of file.patched === undefined ? [] : ours) touched.set(unit.object, { unit, isChanged: true });
  }
  const known = included.filter(({ original }) => original !== undefined);
  if (known.length > 0) {
    const graph = await openIncludeGraph(kernel, options.cache, options);
    for (const { path } of known) {
      const units = await unitsAmong(kernel, graph.includersOf([path]));
      if (units.length === 0) notes.push(notBuilt(path));
      for (const unit of units) {
        if (!touched.has(unit.object)) touched.set(unit.object, { unit, isChanged: false });
      }
    }
  }
  for (const file of included) {
    if (file.original === undefined && !isIncludedByChange(file, files)) notes.push(notBuilt(file.path));
  }
  return { units: [...touched.values()], refusals, notes };
}

async function unitsAmong(kernel: Kernel, paths: ReadonlySet<string>): Promise<Unit[]> {
  const sources = [...paths].filter((path) => path.endsWith(".c")).sort();
  const lists = await Promise.all(sources.map((source) => unitsOf(kernel, source)));
  return lists.flat().filter(({ lands }) => lands.kind !== "elsewhere");
}

/** By name: where it is found is the compiler's business. */
function isIncludedByChange({ path }: ChangedFile, files: readonly ChangedFile[]): boolean {
  const name = basename(path).replace(/[.+]/g, "\\$&");
  const include = new RegExp(`^[ \\t]*#[ \\t]*include[ \\t]*["<](.*/)?${name}[">]`, "m");
  return files.some(({ patched }) => patched !== undefined && include.test(patched));
}

function deleted(path: string): Refusal {
  return refusal(
    "FILE_DELETED",
    `the diff deletes ${path}, whose functions the running kernel has and may be calling`,
    path,
    "leave the file in the diff's kernel; functions that nothing calls any more do no harm",
  );
}
