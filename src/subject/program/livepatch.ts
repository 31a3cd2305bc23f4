/** The whole way from source diffs to a livepatch for a program. */

import { livepatchName } from "../../builder/livepatch-name.ts";
import { outputPath } from "../../builder/output-path.ts";
import type { LivepatchRequest, LivepatchResult } from "../../builder/request.ts";
import { Stopwatch } from "../../builder/stopwatch.ts";
import { withoutEffect } from "../../builder/without-effect.ts";
import { hasCallbacks } from "../../diff/selection.ts";
import { replaceFile } from "../../lib/replace-file.ts";
import { TOOL } from "../../lib/version.ts";
import type { ProgramLinkUnit, ProgramObject } from "../../link/program-input.ts";
import { linkProgramLivepatch } from "../../link/program-livepatch.ts";
import { type LeftOutRecord, METADATA_VERSION, type Note } from "../../patch/metadata.ts";
import type { ProgramMetadata } from "../../patch/program-metadata.ts";
import { readDiffs } from "../../source/diffs/diff-input.ts";
import { ifuncRefusals, mainNotes } from "./findings.ts";
import { provedName } from "./hooks.ts";
import { programLinkUnit } from "./locate.ts";
import { proofRecord } from "./match/prove.ts";
import { numberedRefusals } from "./numbered.ts";
import { openProgram, type ProgramChoice } from "./open-program.ts";
import type { Program } from "./program.ts";
import { type Providers, providersFor } from "./providers.ts";
import { diffProgramUnits, homesOf, type ProgramUnitDiff } from "./unit-diffs.ts";
import { affectedProgramUnits } from "./units/affected.ts";
import { withCopies } from "./units/copies.ts";
import { programRules } from "./units/file-rules.ts";
import { readSourceReads, type SourceReads } from "./units/source-reads.ts";

export interface ProgramBuildRequest extends LivepatchRequest {
  readonly program: ProgramChoice;
}

export type ProgramBuildResult = LivepatchResult<ProgramMetadata>;

/**
 * Builds a livepatch. Throws SutureError for diffs that do not apply, a program
 * that cannot be had or read, a full disk, an interruption; nothing is then left
 * behind, nor is it where the result is a refusal.
 */
export async function buildProgramLivepatch(request: ProgramBuildRequest): Promise<ProgramBuildResult> {
  const { cache, progress, signal, jobs } = request;
  const watch = new Stopwatch();
  const name = livepatchName(request);
  const program = await openProgram(request.program, request.diffs, { cache, progress, signal });
  const path = await outputPath(request.output, `${name.replaceAll("_", "-")}.o`, program.tree);
  const sources = new Set(program.units.map(({ source }) => source));
  let kept: SourceReads | undefined;
  const reads = () => {
    kept ??= readSourceReads(program.tree);
    return kept;
  };
  const input = await readDiffs(request.diffs, {
    tree: program.tree,
    isUnit: async (path) => sources.has(path) || isReadThoughNoCode(path, reads()),
    leftOut: [],
    strip: request.strip,
    rules: programRules,
  });
  const files = withCopies(program, input.files);
  watch.lap("read");
  const affected = await affectedProgramUnits(program, files, { cache, jobs, progress, signal, reads: reads() });
  const notes: Note[] = [...input.notes, ...affected.notes];
  const early = [...input.refusals, ...affected.refusals];
  if (early.length > 0) return { kind: "refused", refusals: early, leftOut: [] };
  if (affected.units.length === 0) return { kind: "no-change", notes };

  const outcome = await diffProgramUnits(program, affected.units, files, {
    cache,
    jobs,
    progress,
    signal,
    watch,
    reads: reads(),
  });
  notes.push(...outcome.notes);
  const diffs = withoutTwice(outcome.diffs);
  const refusals = [
    ...outcome.refusals,
    ...diffs.flatMap(ifuncRefusals),
    ...diffs.flatMap(({ diff }) => numberedRefusals(diff, files)),
  ];
  if (refusals.length > 0) return { kind: "refused", refusals, leftOut: outcome.leftOut };
  const isPatching = ({ diff: { selection } }: ProgramUnitDiff) =>
    selection.funcs.length > 0 || hasCallbacks(selection);
  const patching = diffs.find(isPatching);
  if (patching === undefined) return nothingToPatch(diffs, outcome.leftOut, notes);

  const providers = await providersFor(program, diffs, { cache, jobs, signal });
  progress.step("link");
  const linked = linkProgramLivepatch({
    arch: patching.diff.patched.arch,
    objects: objectsOf(diffs),
    units: linkUnitsOf(diffs, providers),
  });
  if (linked.refusals.length > 0) return { kind: "refused", refusals: linked.refusals, leftOut: outcome.leftOut };
  const metadata: ProgramMetadata = {
    version: METADATA_VERSION,
    kind: "program",
    name,
    tool: TOOL,
    replace: request.replace,
    program: { ...packageOf(program), compiler: outcome.compiler },
    objects: linked.objects,
    newFunctions: [...new Set(linked.newFunctions)],
    needs: linked.needs,
    proofs: await Promise.all([...diffs.map(({ proof }) => proof), ...providers.proofs].map(proofRecord)),
    notes: uniqueNotes([...notes, ...diffs.flatMap(mainNotes), ...linked.notes]),
    leftOut: outcome.leftOut,
    fates: diffs.flatMap(({ diff }) => diff.fates),
    stays: linked.stays,
    states: linked.states,
  };
  const file = linked.write(Buffer.from(`${JSON.stringify(metadata, undefined, 1)}\n`));
  watch.lap("link");
  await replaceFile(path, file);
  watch.lap("write");
  progress.done();
  return { kind: "built", path, metadata, seconds: watch.seconds() };
}

function packageOf({ package: from }: Program): { package?: string; version?: string } {
  return from === undefined ? {} : { package: from.name, version: from.version };
}

function uniqueNotes(notes: readonly Note[]): Note[] {
  return [...new Map(notes.map((note) => [note.text, note])).values()];
}

function objectsOf(diffs: readonly ProgramUnitDiff[]): ProgramObject[] {
  const objects = new Map<string, ProgramObject>();
  for (const each of diffs) {
    const { diff, proof } = each;
    if (diff.selection.pieces.length === 0) continue;
    const { object: name, buildId, path } = proof.shipped;
    const relies = objects.get(name)?.relies ?? [];
    const own = each.relies.map((relied) => ({ source: diff.selection.unit, name: relied }));
    objects.set(name, { name, buildId, path, relies: [...relies, ...own] });
  }
  return [...objects.values()];
}

function linkUnitsOf(diffs: readonly ProgramUnitDiff[], { proofs, own }: Providers): ProgramLinkUnit[] {
  return diffs
    .filter(({ diff }) => diff.selection.pieces.length > 0)
    .map((each) => {
      const { diff, proof, patched } = each;
      const all = [...diffs.map((other) => other.proof), ...proofs];
      const beside = all.filter(({ shipped }) => shipped === proof.shipped);
      const defined = own.get(proof.shipped.object) ?? new Set<string>();
      const homeOf = homesOf(diffs, each);
      return programLinkUnit({ selection: diff.selection, proof, beside, defined, homeOf }, patched);
    });
}

/** Files whose names say that they are none of the program's code, and which its code reads. */
function isReadThoughNoCode(path: string, reads: SourceReads): boolean {
  return programRules.kindOf(path) === "not-code" && (reads.isNamed(path) || reads.isEmbedded(path));
}

/** An inline function that several units hold is one function of the object: it is patched once. */
function withoutTwice(diffs: readonly ProgramUnitDiff[]): ProgramUnitDiff[] {
  const seen = new Set<string>();
  return diffs.map((each) => {
    const { selection } = each.diff;
    const funcs = selection.funcs.filter(({ original }) => {
      const name = provedName(original, each.proof);
      const at = name === undefined ? undefined : each.proof.match.proved.get(name)?.at;
      if (at === undefined) return true;
      const key = `${each.proof.shipped.object} ${at}`;
      const isNew = !seen.has(key);
      seen.add(key);
      return isNew;
    });
    return funcs.length === selection.funcs.length
      ? each
      : { ...each, diff: { ...each.diff, selection: { ...selection, funcs } } };
  });
}

/** Code that nothing executes is no success: it would look like a fix. */
function nothingToPatch(
  diffs: readonly ProgramUnitDiff[],
  leftOut: readonly LeftOutRecord[],
  notes: readonly Note[],
): ProgramBuildResult {
  const pairs = diffs.map(({ diff }) => diff);
  const why = withoutEffect(pairs, leftOut, "program");
  return why === undefined ? { kind: "no-change", notes } : { kind: "refused", refusals: [why], leftOut };
}
