/** A load that is watched afterwards: what does harm is taken away again. */
import type { Harm } from "../host/supervise/harm.ts";
import { Watch } from "../host/supervise/watch.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { VerbResult } from "../targets/verb-result.ts";
import { kernelTarget } from "./in-kernel.ts";
import { recordHistory } from "./record-history.ts";
import { type InProcesses, inEachProcess, type VerbRun } from "./run-in-processes.ts";
import type { Supervision } from "./supervision-choice.ts";

/**
 * Loads, and watches what was loaded. Where harm is seen the livepatch is taken out of all that
 * has got it by this load, and that is written down with the reason.
 *
 * @param load what loads the livepatch that is called `patch`
 */
export async function supervised(
  patch: string,
  { seconds, health }: Supervision,
  how: VerbRun,
  load: () => Promise<InProcesses>,
): Promise<InProcesses> {
  const { signal, progress } = how.context;
  progress.step("looking at the machine as it is");
  const onLook = (left: number): void => progress.tick(Math.floor(seconds - left), Math.ceil(seconds), "s");
  using watch = new Watch({ seconds, health, signal, onLook });
  const before = await watch.unhealthyBefore();
  if (before !== undefined) return { results: [unhealthyBefore(patch, before)], hidden: 0 };
  const loaded = await load();
  const done = loaded.results.filter(({ outcome }) => outcome === "done");
  if (done.length === 0) return loaded;
  progress.step("watching the machine");
  const harm = await watch.harm(done.flatMap(({ pid }) => pid ?? []));
  if (harm === undefined) {
    const notes = [`watched for ${seconds} s: no harm`, ...watch.blind];
    const seen = loaded.results.map((result) => (done.includes(result) ? { ...result, notes } : result));
    return { ...loaded, results: seen };
  }
  progress.step(`taking ${patch} away: ${harm.what}`);
  const results: VerbResult[] = [];
  for (const result of loaded.results)
    results.push(done.includes(result) ? await takenAway(patch, result, harm, how) : result);
  await recordHistory(
    "revert",
    patch,
    results.filter(({ problems }) => problems.some(({ code }) => code === "HARM")),
  );
  return { ...loaded, results };
}

/** What became of one target: the livepatch is not in force there, or the problems say why it still is. */
async function takenAway(patch: string, loaded: VerbResult, harm: Harm, how: VerbRun): Promise<VerbResult> {
  // Who interrupts the watch has not asked for the harm to stay.
  const patient = { ...how, context: { ...how.context, signal: new AbortController().signal } };
  const [away] =
    loaded.pid === undefined
      ? [await kernelTarget(patient).unload(patch)]
      : await inEachProcess([loaded.pid], patient, (target) => target.unload(patch), { mayEnd: true });
  const problems = [harmSeen(patch, harm)];
  // A process that has ended has nothing of it any more.
  if (away === undefined) return { ...loaded, outcome: "reversed", problems };
  const isAway = away.outcome === "done" || away.outcome === "unchanged";
  return { ...away, outcome: isAway ? "reversed" : away.outcome, problems: [...problems, ...away.problems] };
}

function harmSeen(patch: string, { what, evidence }: Harm): Refusal {
  return refusal("HARM", `${patch} was taken away again: ${what}`, evidence.join("; "), "see: suture log");
}

function unhealthyBefore(patch: string, { what, evidence }: Harm): VerbResult {
  const hint = "mend what it complains of, or the command";
  const problem = refusal("UNHEALTHY_BEFORE", `${what} before anything is loaded`, evidence.join("; "), hint);
  return { name: patch, outcome: "refused", problems: [problem], notes: [], holders: [] };
}
