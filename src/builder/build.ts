/** The whole way from source diffs to a livepatch, whatever it is for. */
import { isPatching } from "../diff/selection.ts";
import { replaceFile } from "../lib/replace-file.ts";
import { TOOL } from "../lib/version.ts";
import { type Findings, findingsOf } from "../patch/findings.ts";
import { type CommonMetadata, METADATA_VERSION, type Note } from "../patch/metadata.ts";
import { inOrder } from "../patch/metadata-order.ts";
import type { Refusal } from "../patch/refusal.ts";
import { compareUnits, layoutRefusals } from "./compare-units.ts";
import { keptDiffs } from "./kept-diffs.ts";
import { livepatchName } from "./livepatch-name.ts";
import { outputPath } from "./output-path.ts";
import type { LivepatchRequest, LivepatchResult } from "./request.ts";
import type { Run, SourceUnit, Subject, UnitDiff } from "./subject.ts";
import { whyNothing } from "./without-effect.ts";

/**
 * Builds a livepatch. Throws SutureError for diffs that do not apply, a subject
 * that cannot be had or read, a wrong compiler, a full disk, an interruption;
 * nothing is then left behind, nor is it where the result is a refusal.
 */
export async function buildLivepatch<
  Unit extends SourceUnit,
  Each extends UnitDiff<Unit>,
  Metadata extends CommonMetadata,
>(
  subject: Subject<Unit, Each, Metadata>,
  request: Pick<LivepatchRequest, "diffs" | "strip" | "output" | "name" | "patchVersion" | "replace" | "keepsDiffs">,
  run: Run,
): Promise<LivepatchResult<Metadata>> {
  const { progress, watch } = run;
  const { patchVersion, replace, keepsDiffs = true } = request;
  const name = livepatchName(request);
  const path = await outputPath(request.output, `${name.replaceAll("_", "-")}${subject.suffix}`, subject.tree);
  const input = await subject.readDiffs(request.diffs, request.strip);
  // What cannot be for its path alone is told before anything is looked for.
  if (input.refusals.length > 0) return refused(findingsOf(input));
  const affected = await subject.affectedUnits(input, (unit) => layoutRefusals(unit, input.files, subject, run));
  const early = findingsOf(input, affected);
  if (early.refusals.length > 0) return refused(early);
  if (affected.units.length === 0) return { kind: "no-change", notes: early.notes };
  watch.lap("read");

  const { shipped, diffs, ...compared } = await compareUnits(
    { units: affected.units, files: input.files },
    subject,
    !replace,
    run,
  );
  const findings = findingsOf(early, compared.findings);
  if (findings.refusals.length > 0) return refused(findings);
  if (!diffs.some(({ diff }) => isPatching(diff.selection))) {
    const why = whyNothing(diffs, findings, subject.kind);
    return why === undefined ? { kind: "no-change", notes: findings.notes } : refused({ ...findings, refusals: [why] });
  }

  progress.step("link");
  const linked = await shipped.link(diffs, { name, patchVersion, replace, relied: compared.relied });
  if (linked.kind === "refused") return refused({ ...findings, refusals: linked.refusals });
  const kept = keepsDiffs ? keptDiffs(request.diffs) : undefined;
  const metadata = inOrder<Metadata>({
    ...linked.metadata,
    version: METADATA_VERSION,
    name,
    ...(patchVersion === undefined ? {} : { patchVersion }),
    tool: TOOL,
    replace,
    notes: unique([...findings.notes, ...linked.metadata.notes]),
    leftOut: unique(findings.leftOut),
    ...(kept === undefined ? {} : { diffs: kept }),
  });
  const file = linked.write(Buffer.from(`${JSON.stringify(metadata, undefined, 1)}\n`));
  watch.lap("link");
  await replaceFile(path, file);
  watch.lap("write");
  progress.done();
  return { kind: "built", path, metadata, seconds: watch.seconds() };
}

function refused({ refusals, leftOut }: Findings): LivepatchResult<never> {
  return { kind: "refused", refusals: unique(refusals), leftOut: unique(leftOut) };
}

/** What is found in several units, or in several objects that a unit is part of, is said once. */
function unique<Finding extends Refusal | Note>(found: readonly Finding[]): Finding[] {
  return [...new Map(found.map((each) => [JSON.stringify(each), each])).values()];
}
