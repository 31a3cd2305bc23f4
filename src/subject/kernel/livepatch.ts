/** The whole way from source diffs to a livepatch for a kernel. */

import { livepatchName } from "../../builder/livepatch-name.ts";
import { outputPath } from "../../builder/output-path.ts";
import type { LivepatchRequest, LivepatchResult } from "../../builder/request.ts";
import { Stopwatch } from "../../builder/stopwatch.ts";
import { withoutEffect } from "../../builder/without-effect.ts";
import { hasCallbacks, needsSwitch } from "../../diff/selection.ts";
import type { Cache } from "../../lib/cache.ts";
import { replaceFile } from "../../lib/replace-file.ts";
import { TOOL } from "../../lib/version.ts";
import {
  type FateRecord,
  type LeftOutRecord,
  METADATA_VERSION,
  type Note,
  type PatchMetadata,
} from "../../patch/metadata.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import type { Kernel, KernelChoice } from "../../provider/kernel/kernel.ts";
import type { Unit } from "../../provider/kernel/unit.ts";
import { unitsOf } from "../../provider/kernel/units-file.ts";
import { findCompiler } from "../../provider/toolchain/compiler.ts";
import { readDiffs } from "../../source/diffs/diff-input.ts";
import type { CompileOptions } from "./compile.ts";
import type { UnitDiff } from "./examine-pair.ts";
import { unlessDamaged } from "./kernel-damage.ts";
import { openKernel } from "./kernels.ts";
import { linkTarget } from "./link-target.ts";
import type { SwitchUnit } from "./switch-unit.ts";
import { diffUnitsOf, type UnitDiffs } from "./unit-diffs.ts";
import { affectedUnits } from "./units/affected-units.ts";
import { transitionNotes, transitionNotesOf } from "./waiting-threads.ts";

export interface BuildRequest extends LivepatchRequest {
  readonly kernel: KernelChoice;
}

export type BuildResult = LivepatchResult<PatchMetadata>;

/**
 * Builds a livepatch. Throws SutureError for diffs that do not apply, a kernel
 * that cannot be had, a wrong compiler, a full disk, an interruption; nothing
 * is then left behind, nor is it where the result is a refusal.
 */
export async function buildLivepatch(request: BuildRequest): Promise<BuildResult> {
  const { cache, progress, signal } = request;
  const watch = new Stopwatch();
  const name = livepatchName(request);
  const kernel = await openKernel(request.kernel, { cache, progress, signal });
  return await unlessDamaged(
    kernel,
    async () => await buildFor(kernel, name, request, watch),
    ({ kind }) => kind === "built",
  );
}

async function buildFor(kernel: Kernel, name: string, request: BuildRequest, watch: Stopwatch): Promise<BuildResult> {
  const { cache, progress, signal, jobs } = request;
  const path = await outputPath(request.output, `${name.replaceAll("_", "-")}.ko`, kernel.source);
  const isUnit = async (path: string) => (await unitsOf(kernel, path)).length > 0;
  const input = await readDiffs(request.diffs, {
    tree: kernel.source,
    isUnit,
    leftOut: kernel.leftOut,
    strip: request.strip,
  });
  const compiler = await findCompiler(kernel.compilerText, cache, signal);
  const affected = await affectedUnits(kernel, input.files, {
    cache,
    compiler,
    jobs,
    progress,
    signal,
    makefiles: input.makefiles,
  });
  const notes: Note[] = [...input.notes, ...affected.notes];
  const early = [...input.refusals, ...affected.refusals];
  if (early.length > 0) return { kind: "refused", refusals: early, leftOut: [] };
  if (affected.units.length === 0) return { kind: "no-change", notes };
  watch.lap("read");

  const outcome = await diffUnitsOf(affected.units, input.files, {
    kernel,
    compiler,
    cache,
    jobs,
    progress,
    signal,
    watch,
    isBesideOthers: !request.replace,
  });
  if (outcome.refusals.length > 0) return { kind: "refused", refusals: outcome.refusals, leftOut: outcome.leftOut };
  const patching = outcome.diffs.filter(isPatching);
  if (patching.length === 0) return nothingToPatch(outcome.diffs, outcome.leftOut, [...notes, ...outcome.notes]);

  progress.step("link");
  const { linkLivepatch } = await import("../../link/livepatch.ts");
  const { linkUnit } = await import("./match/locate.ts");
  const { shipped, symvers } = outcome;
  const switching = await switchUnitOf(patching, affected.units, outcome, { kernel, compiler, signal });
  if (switching?.kind === "refused")
    return { kind: "refused", refusals: [switching.refusal], leftOut: outcome.leftOut };
  const target = linkTarget(kernel, shipped.vmlinux, symvers, shipped.layouts);
  const linked = linkLivepatch(
    {
      name,
      description: `livepatch for Linux ${kernel.release}`,
      target,
      replace: request.replace,
      switchUnit: switching?.unit,
      units: outcome.diffs
        .filter(({ diff: { selection } }) => selection.pieces.length > 0 || selection.words.length > 0)
        .map(({ diff, proof, dependencies }) =>
          linkUnit({
            proof,
            selection: diff.selection,
            vmlinux: shipped.vmlinux,
            symvers,
            dependencies,
            beside: outcome.diffs.map((each) => each.proof).filter((each) => each.shipped === proof.shipped),
          }),
        ),
    },
    target.imports,
  );
  if (linked.refusals.length > 0) return { kind: "refused", refusals: linked.refusals, leftOut: outcome.leftOut };
  const metadata: PatchMetadata = {
    version: METADATA_VERSION,
    name,
    tool: TOOL,
    kernel: { release: kernel.release, buildId: kernel.buildId, vermagic: target.vermagic },
    replace: request.replace,
    objects: linked.objects.map((object) => ({ ...object, buildId: shipped.buildId(object.name) })),
    newFunctions: linked.newFunctions,
    needs: linked.needs,
    proofs: outcome.diffs.map(({ proof }) => proof.record),
    notes: [...notes, ...outcome.notes, ...linked.notes, ...(await waitingNotes(patching, outcome, cache))],
    leftOut: outcome.leftOut,
    fates: outcome.diffs.flatMap(({ diff }) => diff.fates).map((each) => redirectedBy(each, switching !== undefined)),
    stays: linked.stays,
  };
  const file = linked.write(Buffer.from(`${JSON.stringify(metadata, undefined, 1)}\n`));
  watch.lap("link");
  await replaceFile(path, file);
  watch.lap("write");
  progress.done();
  return { kind: "built", path, metadata, seconds: watch.seconds() };
}

/** Functions that a transition may wait for without end. */
async function waitingNotes(patching: readonly UnitDiff[], { shipped }: UnitDiffs, cache: Cache): Promise<Note[]> {
  const inVmlinux = patching.filter(({ proof }) => proof.shipped.object === "vmlinux");
  const names = inVmlinux.flatMap(({ diff: { selection } }) => selection.funcs.map(({ name }) => name));
  const inModules = patching.filter((each) => !inVmlinux.includes(each));
  return [
    ...(await transitionNotes(names, shipped.vmlinux, cache)),
    ...inModules.flatMap(({ diff }) => transitionNotesOf(diff)),
  ];
}

/** Where one function is switched, all are. */
function redirectedBy(fate: FateRecord, isSwitched: boolean): FateRecord {
  return isSwitched && fate.fate === "replaced" ? { ...fate, by: "switch" } : fate;
}

/** Undefined where every function has a hook. */
async function switchUnitOf(
  patching: readonly UnitDiff[],
  units: readonly Unit[],
  { shipped, symvers }: UnitDiffs,
  options: Omit<CompileOptions, "variant">,
): Promise<SwitchUnit | undefined> {
  const needing = patching.find(({ diff }) => needsSwitch(diff.selection));
  if (needing === undefined) return undefined;
  const { switchUnit } = await import("./switch-unit.ts");
  const sources = new Set(patching.map(({ diff }) => diff.selection.unit));
  const changed = units.filter(({ source }) => sources.has(source));
  const hasSysctls = patching.some(({ diff }) => diff.selection.words.some(({ entry }) => entry !== undefined));
  return await switchUnit(changed, needing.proof.shipped.object, hasSysctls, options, shipped, symvers);
}

function isPatching({ diff: { selection } }: UnitDiff): boolean {
  return (
    needsSwitch(selection) ||
    selection.funcs.length > 0 ||
    selection.moduleExit !== undefined ||
    hasCallbacks(selection)
  );
}

/** Code that no running kernel executes is no success: it would look like a fix. */
function nothingToPatch(
  diffs: readonly UnitDiff[],
  leftOut: readonly LeftOutRecord[],
  notes: readonly Note[],
): BuildResult {
  const exported = notes.filter(({ code }) => code === "NEW_EXPORT" || code === "EXPORT_CHANGED");
  const pairs = diffs.map(({ diff }) => diff);
  const said = exported.map(({ text }) => text);
  const why =
    withoutEffect(pairs, leftOut, "kernel", said) ?? (exported.length > 0 ? onlyExports(exported, diffs) : undefined);
  return why === undefined ? { kind: "no-change", notes } : { kind: "refused", refusals: [why], leftOut };
}

function onlyExports(exported: readonly Note[], diffs: readonly UnitDiff[]): Refusal {
  const sources = [...new Set(diffs.map(({ diff }) => diff.patched.name))].join(", ");
  const what = `all that the diff changes is what is exported: ${exported.map(({ text }) => text).join("; ")}`;
  return refusal("ONLY_EXPORTS", what, sources, "let a module find it by other means, or boot the new kernel");
}
