/** The units of a diff: compiled, proved, diffed, looked at together, and checked one by one. */
import { setTimeout } from "node:timers/promises";
import { isLinked } from "../diff/selection.ts";
import { temporaryDirectory } from "../lib/temp.ts";
import { type Findings, findingsOf } from "../patch/findings.ts";
import type { CommonMetadata } from "../patch/metadata.ts";
import type { Refusal } from "../patch/refusal.ts";
import type { ChangedFile } from "../source/diffs/diff-input.ts";
import { changesOf, layOutView, viewDirectory } from "../source/tree.ts";
import { compileUnits } from "./compile-units.ts";
import type {
  CompiledPair,
  Compiling,
  Run,
  ShippedSide,
  SourceUnit,
  Subject,
  UnitDiff,
  Wanted,
  Workplace,
} from "./subject.ts";

/** All units of a diff after the last step before the link; where the findings have refusals nothing is linked. */
export interface Compared<Unit extends SourceUnit, Each extends UnitDiff<Unit>, Metadata extends CommonMetadata> {
  readonly shipped: ShippedSide<Unit, Each, Metadata>;
  readonly diffs: readonly Each[];
  readonly findings: Findings;
  readonly relied: Wanted<Each>["relied"];
}

/** What a diff reaches. */
export interface Reached<Unit extends SourceUnit> {
  readonly units: readonly Unit[];
  /** Of the diff. */
  readonly files: readonly ChangedFile[];
}

/** Milliseconds in which the compilers start: to load code takes the thread, and would keep them from it. */
const LEAD = 10;

/** @param isBesideOthers whether the livepatch will be loaded beside others */
export async function compareUnits<
  Unit extends SourceUnit,
  Each extends UnitDiff<Unit>,
  Metadata extends CommonMetadata,
>(
  { units, files }: Reached<Unit>,
  subject: Subject<Unit, Each, Metadata>,
  isBesideOthers: boolean,
  run: Run,
): Promise<Compared<Unit, Each, Metadata>> {
  const { progress, watch } = run;
  progress.step(units.length === 1 ? `compile ${units[0]?.source}` : `compile ${units.length} files`);
  await using views = await viewDirectory();
  await using objects = await temporaryDirectory();
  const workplace = { files, view: layOutView(subject.tree, views.path, changesOf(files)), into: objects.path };
  // The compilers run first; what can be read without them is read beside them.
  const compiling = compileUnits(units, subject, workplace, run);
  compiling.catch(() => {});
  await setTimeout(LEAD);
  const shipped = await subject.openShipped();
  const compiled = await compiling;
  watch.lap("compile");
  const relied = new Map<Each, readonly string[]>();

  progress.step("prove and compare");
  const proved = await shipped.proveAndDiff(compiled.pairs, files);
  const { diffedTogether } = await import("./across-units.ts");
  const together = watch.time("diff", () => diffedTogether(proved.diffs, shipped.linkedIn));
  const checked = await checkUnits(compiled.pairs, together.diffs, shipped, workplace);
  // Where a unit is missing, what the others lack may be in it.
  const missing = compiled.refusals.length > 0 ? compiled : together;
  const findings = findingsOf(missing, proved.findings, ...together.diffs.map(({ diff }) => diff), checked.findings);
  if (findings.refusals.length > 0 || !(isBesideOthers || subject.keepsRelied))
    return { shipped, diffs: checked.diffs, findings, relied };
  const { reliedFunctions } = await import("./relies.ts");
  return {
    shipped,
    diffs: checked.diffs,
    findings,
    relied: await reliedFunctions(checked.diffs, { compiling: subject, readUnit: shipped.readUnit }, workplace, run),
  };
}

/**
 * Why one unit refuses whatever others are: what is changed of the layouts that it
 * uses. Nothing of what may hold together with others; empty where it does not compile.
 */
export async function layoutRefusals<Unit extends SourceUnit, Each extends UnitDiff<Unit>>(
  unit: Unit,
  files: readonly ChangedFile[],
  subject: Pick<Subject<Unit, Each, CommonMetadata>, keyof Compiling<Unit> | "openShipped">,
  run: Run,
): Promise<readonly Refusal[]> {
  await using views = await viewDirectory();
  await using objects = await temporaryDirectory();
  const workplace = { files, view: layOutView(subject.tree, views.path, changesOf(files)), into: objects.path };
  const { pairs } = await compileUnits([unit], subject, workplace, run);
  const shipped = await subject.openShipped();
  const { diffs } = await shipped.proveAndDiff(pairs, files);
  return (await checkUnits(pairs, diffs, shipped, workplace)).findings.refusals;
}

async function checkUnits<Unit extends SourceUnit, Each extends UnitDiff<Unit>>(
  pairs: readonly CompiledPair<Unit>[],
  diffs: readonly Each[],
  shipped: ShippedSide<Unit, Each>,
  workplace: Workplace,
): Promise<{ readonly diffs: readonly Each[]; readonly findings: Findings }> {
  const found: Partial<Findings>[] = [];
  const atOnce = new Set<Each>();
  for (const pair of pairs) {
    const own = diffs.filter(({ unit }) => unit === pair.unit);
    if (own.length === 0) continue;
    const checked = await shipped.check(pair, own, workplace);
    found.push(checked);
    if (checked.atOnce === true)
      for (const each of own.filter(({ diff }) => isLinked(diff.selection))) atOnce.add(each);
  }
  return {
    diffs: diffs.map((each) => (atOnce.has(each) ? switchedAtOnce(each) : each)),
    findings: findingsOf(...found),
  };
}

function switchedAtOnce<Each extends UnitDiff>(each: Each): Each {
  return { ...each, diff: { ...each.diff, selection: { ...each.diff.selection, atOnce: true } } };
}
