/** Original and patched objects of the touched units, side by side. */
import type { Cache } from "../lib/cache.ts";
import { mapParallel } from "../lib/parallel.ts";
import type { Progress } from "../lib/progress.ts";
import { type CompileOptions, type CompileResult, compileInView } from "./compile.ts";
import type { ChangedFile } from "./diff-input.ts";
import { markLines } from "./line-marks.ts";
import { compileOriginal } from "./originals.ts";
import { isSameToCompiler } from "./preprocess.ts";
import type { TouchedUnit } from "./touched-units.ts";
import { layOutView, type TreeView, viewDirectory } from "./tree.ts";
import type { Unit } from "./unit.ts";

export interface UnitObjects {
  readonly unit: Unit;
  /** Path of the object of the kernel's own source. */
  readonly original: CompileResult;
  readonly patched: CompileResult;
}

export interface ObjectsOptions extends CompileOptions {
  readonly cache: Cache;
  readonly progress: Progress;
  /** Compilers at a time. */
  readonly jobs: number;
}

/**
 * Compiles each unit as it is and as the files change it; the patched objects
 * go to the directory `into`. Units that include a changed file without being
 * changed by it are not among the results.
 */
export async function buildObjects(
  touched: readonly TouchedUnit[],
  files: readonly ChangedFile[],
  into: string,
  options: ObjectsOptions,
): Promise<UnitObjects[]> {
  await using markedDirectory = await viewDirectory();
  await using plainDirectory = await viewDirectory();
  const view = layOutView(options.kernel.source, markedDirectory.path, changesOf(files, true));
  let plain: TreeView | undefined;
  const plainView = (): TreeView => {
    plain ??= layOutView(options.kernel.source, plainDirectory.path, changesOf(files, false));
    return plain;
  };

  const units = await changedUnits(touched, view, into, options);
  const jobs = units.flatMap((unit) => [
    async (signal: AbortSignal) => await compileOriginal(unit, options.cache, { ...options, signal }),
    async (signal: AbortSignal) => await compilePatched(unit, view, plainView, into, { ...options, signal }),
  ]);
  if (units.length > 1) options.progress.step(`compiling ${units.length} translation units, before and after`);
  let done = 0;
  const results = await mapParallel(
    jobs,
    options.jobs,
    async (job, _, signal) => {
      const result = await job(signal);
      options.progress.tick(++done, jobs.length);
      return result;
    },
    options.signal,
  );
  return units.map((unit, i) => ({
    unit,
    original: results[2 * i] as CompileResult,
    patched: results[2 * i + 1] as CompileResult,
  }));
}

function changesOf(files: readonly ChangedFile[], isMarked: boolean) {
  return files.map(({ path, original, patched }) => {
    if (patched === undefined) return { path, text: undefined };
    const text = isMarked && original !== undefined ? markLines(original, patched) : patched;
    return { path, text: Buffer.from(text, "latin1") };
  });
}

/** Those whose source changes, and of the others those that reach the compiler otherwise than before. */
async function changedUnits(
  touched: readonly TouchedUnit[],
  view: TreeView,
  into: string,
  options: ObjectsOptions,
): Promise<Unit[]> {
  const others = touched.filter(({ isChanged }) => !isChanged);
  if (others.length > 0) options.progress.step(`preprocessing ${others.length} translation units, before and after`);
  let done = 0;
  const same = await mapParallel(
    others,
    options.jobs,
    async ({ unit }, _, signal) => {
      const isSame = await isSameToCompiler(unit, view, into, options.cache, { ...options, signal });
      options.progress.tick(++done, others.length);
      return isSame;
    },
    options.signal,
  );
  const unaffected = new Set(others.filter((_, i) => same[i]));
  return touched.filter((each) => !unaffected.has(each)).map(({ unit }) => unit);
}

/** Where the text with line marks is refused, the words of the compiler are about the one without. */
async function compilePatched(
  unit: Unit,
  view: TreeView,
  plainView: () => TreeView,
  into: string,
  options: CompileOptions,
): Promise<CompileResult> {
  const marked = await compileInView(unit, view, into, options);
  if (marked.kind === "compiled") return marked;
  return await compileInView(unit, plainView(), into, options);
}
