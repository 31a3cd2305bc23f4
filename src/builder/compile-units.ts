/** Units as they were and as the diff makes them, both compiled. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { ElfFile } from "../elf/model.ts";
import { mapParallel } from "../lib/parallel.ts";
import { madeOf } from "../patch/findings.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { changesOf, layOutView, viewDirectory } from "../source/tree.ts";
import type { CompileResult } from "./compile-result.ts";
import { mayTakeIn, outsideRefusal, tellsAll } from "./outside-files.ts";
import type { CompiledPair, Compiling, Run, SourceUnit, Workplace } from "./subject.ts";

/**
 * In the order of the units; one that could not be compiled, or took in what it must
 * not, is a refusal in place of a pair.
 */
export interface CompiledUnits<Unit extends SourceUnit> {
  readonly pairs: readonly CompiledPair<Unit>[];
  readonly refusals: readonly Refusal[];
}

/**
 * Compiles as many units at a time as `jobs` says, each in a directory of its own.
 * Throws what running a compiler throws.
 */
export async function compileUnits<Unit extends SourceUnit>(
  units: readonly Unit[],
  compiling: Compiling<Unit>,
  workplace: Workplace,
  { jobs, progress, signal }: Run,
): Promise<CompiledUnits<Unit>> {
  let done = 0;
  const compiled = await mapParallel(
    units,
    jobs,
    async (unit, index, both) => {
      const pair = await compilePair(unit, compiling, { ...workplace, into: join(workplace.into, `${index}`) }, both);
      progress.tick(++done, units.length);
      return pair;
    },
    signal,
  );
  const { made, refusals } = madeOf(compiled);
  return { pairs: made, refusals };
}

/**
 * The original of a file that is new with the diff is what an empty one compiles to.
 * Refusals: `ORIGINAL_DOES_NOT_COMPILE`, `DOES_NOT_COMPILE`, `OUTSIDE_FILE`, and those
 * of `readObject`.
 */
export async function compilePair<Unit extends SourceUnit>(
  unit: Unit,
  compiling: Compiling<Unit>,
  workplace: Workplace,
  signal?: AbortSignal,
): Promise<CompiledPair<Unit> | Refusal> {
  const { files, into } = workplace;
  await mkdir(into, { recursive: true });
  const isNew = files.some(({ path, original }) => path === unit.source && original === undefined);
  const [patched, original] = await Promise.all([
    compilePatched(unit, compiling, workplace, signal),
    isNew ? compileNothing(unit, compiling, into, signal) : compiling.compileOriginal(unit, signal),
  ]);
  if (original.kind === "does-not-compile") return originalFails(unit, compiling, original.output);
  if (patched.kind === "does-not-compile") return patchedFails(unit, patched);
  const path = patched.outside?.find((each) => !original.dependencies.includes(each));
  if (path !== undefined) return outsideRefusal(unit.source, path);
  if (!tellsAll(await compiling.compilerOf(unit, signal))) {
    const taking = files.find((file) => mayTakeIn(file.original, file.patched));
    if (taking !== undefined) return outsideRefusal(taking.path, "files by words of the assembler");
  }
  const [originalFile, patchedFile] = await Promise.all([
    compiling.readObject(original.object, unit),
    compiling.readObject(patched.object, unit),
  ]);
  if (isRefusal(originalFile)) return originalFile;
  return isRefusal(patchedFile) ? patchedFile : { unit, originalFile, patchedFile };
}

function isRefusal(read: ElfFile | Refusal): read is Refusal {
  return "code" in read;
}

/** Where the text with line marks is refused, the words of the compiler are about the text as it was written. */
async function compilePatched<Unit extends SourceUnit>(
  unit: Unit,
  compiling: Compiling<Unit>,
  { files, view, into }: Workplace,
  signal: AbortSignal | undefined,
): Promise<CompileResult> {
  const marked = await compiling.compileInView(unit, { view, into }, signal);
  if (marked.kind === "compiled") return marked;
  await using views = await viewDirectory();
  const unmarked = layOutView(compiling.tree, views.path, changesOf(files, true));
  return await compiling.compileInView(unit, { view: unmarked, into }, signal);
}

/** What a file that is not there compiles to: what an empty one does. */
async function compileNothing<Unit extends SourceUnit>(
  unit: Unit,
  compiling: Compiling<Unit>,
  into: string,
  signal: AbortSignal | undefined,
): Promise<CompileResult> {
  const own = join(into, "nothing");
  await mkdir(own);
  await using views = await viewDirectory();
  const view = layOutView(compiling.tree, views.path, [{ path: unit.source, text: "" }]);
  return await compiling.compileInView(unit, { view, into: own }, signal);
}

function originalFails<Unit extends SourceUnit>(
  { source }: Unit,
  { asItWas }: Compiling<Unit>,
  output: string,
): Refusal {
  const what = `${source} does not compile as it was ${asItWas.what}:\n${output.trimEnd()}`;
  return refusal("ORIGINAL_DOES_NOT_COMPILE", what, source, asItWas.hint);
}

function patchedFails(
  { source }: SourceUnit,
  { by, output }: CompileResult & { readonly kind: "does-not-compile" },
): Refusal {
  return refusal(
    "DOES_NOT_COMPILE",
    `${source} does not compile with the diff (${by}):\n${output.trimEnd()}`,
    source,
    "bring along the headers and other files that the fix needs, as one diff",
  );
}
