import type { KernelLayouts } from "../../btf/kernel-layouts.ts";
import { outsideRefusal } from "../../builder/outside-files.ts";
import type { Stopwatch } from "../../builder/stopwatch.ts";
import { layoutFindings } from "../../builder/type-changes.ts";
import type { Cache } from "../../lib/cache.ts";
import { mapParallel } from "../../lib/parallel.ts";
import type { Progress } from "../../lib/progress.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import type { LeftOutRecord, Note } from "../../patch/metadata.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import type { Kernel } from "../../provider/kernel/kernel.ts";
import type { Unit } from "../../provider/kernel/unit.ts";
import type { Compiler } from "../../provider/toolchain/compiler.ts";
import type { ChangedFile } from "../../source/diffs/diff-input.ts";
import { changesOf, layOutView, viewDirectory } from "../../source/tree.ts";
import type { CompileOptions } from "./compile.ts";
import { compileBoth, type Failure, type TakesIn } from "./compiled-pair.ts";
import type { UnitDiff } from "./examine-pair.ts";
import { ShippedObjects } from "./match/shipped-objects.ts";
import { compileOriginal } from "./originals.ts";
import { RunningLayouts } from "./running-layouts.ts";
import { openSymvers, type Symvers } from "./symvers.ts";

export interface UnitDiffs {
  readonly diffs: readonly UnitDiff[];
  readonly refusals: readonly Refusal[];
  readonly leftOut: readonly LeftOutRecord[];
  readonly notes: readonly Note[];
  readonly shipped: ShippedObjects & { readonly layouts: KernelLayouts };
  readonly symvers: Symvers;
}

export interface UnitDiffOptions {
  readonly kernel: Kernel;
  readonly compiler: Compiler;
  readonly cache: Cache;
  readonly jobs: number;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
  readonly watch: Stopwatch;
  /** Whether the livepatch will be loaded beside others. */
  readonly isBesideOthers: boolean;
}

export async function diffUnitsOf(
  units: readonly Unit[],
  files: readonly ChangedFile[],
  options: UnitDiffOptions,
): Promise<UnitDiffs> {
  const { kernel, signal, jobs, progress, watch } = options;
  progress.step(units.length === 1 ? `compile ${units[0]?.source}` : `compile ${units.length} files`);
  await using views = await viewDirectory();
  await using objects = await temporaryDirectory();
  const view = layOutView(kernel.source, views.path, changesOf(files));
  const compile: CompileOptions = {
    kernel,
    compiler: options.compiler,
    variant: "sections",
    types: true,
    signal,
  };
  let done = 0;
  // The compilers run first; what can be read without them is read beside them.
  const compiled = mapParallel(
    units,
    jobs,
    async (unit) => {
      const pair = await compileBoth(unit, view, files, objects.path, compile, options.cache);
      done++;
      progress.tick(done, units.length);
      return pair;
    },
    signal,
  );
  compiled.catch(() => {});
  const shipped = await ShippedObjects.open(kernel, signal);
  const symvers = await openSymvers(kernel.symvers);
  const pairs = await compiled;
  watch.lap("compile");
  const failed = pairs.flatMap((pair) => (pair.kind === "compiled" ? [] : [whyNotCompiled(pair)]));
  if (failed.length > 0) return { diffs: [], refusals: failed, leftOut: [], notes: [], shipped, symvers };

  const { diffedAgain, examinePair } = await import("./examine-pair.ts");
  const { withKeyTests } = await import("./key-tests.ts");
  const { diffedTogether } = await import("../../builder/across-units.ts");
  const examined: UnitDiff[][] = [];
  const refusals: Refusal[] = [];
  progress.step("prove and compare");
  for (const [i, pair] of pairs.entries()) {
    if (pair.kind !== "compiled") continue;
    const plain = () => compileOriginal(pair.unit, options.cache, { ...compile, variant: "plain", types: false });
    const found = await examinePair(pair, { shipped, plain, kernel, watch, signal });
    examined.push(await withKeyTests(found.diffs, { unit: pair.unit, files, compile, shipped, symvers }));
    refusals.push(...found.refusals);
    progress.tick(i + 1, pairs.length);
  }
  const { diffs, refusals: across } = watch.time("diff", () => diffedTogether(examined.flat(), linkedIn, diffedAgain));
  refusals.push(...across);
  const notes: Note[] = [];
  for (const { diff } of diffs) {
    refusals.push(...diff.refusals);
    notes.push(...diff.notes);
  }
  const atOnce = new Set<UnitDiff>();
  const layouts = new RunningLayouts(shipped.vmlinux, options.cache, watch);
  for (const pair of pairs) {
    const objects = diffs.filter(
      ({ diff: { selection } }) =>
        selection.unit === pair.unit.source && (selection.pieces.length > 0 || selection.words.length > 0),
    );
    if (objects.length === 0 || pair.kind !== "compiled") continue;
    for (const { proof } of objects) refusals.push(...(await layouts.findings(pair, proof.shipped)));
    const types = layoutFindings(pair, watch);
    notes.push(...types.notes);
    if (types.changes.length === 0) continue;
    const { settleStackTypes } = await import("./stack-types/settle-stack-types.ts");
    const settled = await settleStackTypes(types, objects, { unit: pair.unit, view, compile, files });
    refusals.push(...settled.refusals);
    notes.push(...settled.notes);
    if (settled.atOnce) for (const each of objects) atOnce.add(each);
  }
  const switched = diffs.map((each) => (atOnce.has(each) ? switchedAtOnce(each) : each));
  if (options.isBesideOthers && refusals.length === 0) {
    const { reliedNotes } = await import("./relied-notes.ts");
    notes.push(...(await reliedNotes(units, switched, view, objects.path, shipped, compile)));
  }
  return { diffs: switched, refusals, leftOut: diffs.flatMap(({ diff }) => diff.leftOut), notes, shipped, symvers };
}

function switchedAtOnce(each: UnitDiff): UnitDiff {
  return { ...each, diff: { ...each.diff, selection: { ...each.diff.selection, atOnce: true } } };
}

function linkedIn({ proof: { shipped } }: UnitDiff) {
  return { object: shipped.object, hasGlobal: (name: string) => shipped.hasGlobal(name) };
}

function whyNotCompiled(pair: Failure | TakesIn): Refusal {
  return pair.kind === "takes-in" ? outsideRefusal(pair.unit.source, pair.path) : doesNotCompile(pair);
}

function doesNotCompile({ unit, which, output, by }: Failure): Refusal {
  if (which === "original")
    return refusal(
      "ORIGINAL_DOES_NOT_COMPILE",
      `${unit.source} does not compile as it was shipped:\n${output.trimEnd()}`,
      unit.source,
      "check that source, headers and compiler belong to this kernel",
    );
  return refusal(
    "DOES_NOT_COMPILE",
    `${unit.source} does not compile with the diff (${by}):\n${output.trimEnd()}`,
    unit.source,
    "bring along the headers and other files that the fix needs, as one diff",
  );
}
