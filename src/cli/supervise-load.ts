/** A load that is watched afterwards: what does harm is taken away again. */
import { type LiveLivepatch, liveLivepatches } from "../host/status/live.ts";
import { digestOf } from "../host/store/livepatch-files.ts";
import type { Harm } from "../host/supervise/harm.ts";
import { Watch } from "../host/supervise/watch.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { kernelState } from "../targets/kernel/look.ts";
import { patchedProcesses } from "../targets/process/look.ts";
import type { VerbResult } from "../targets/verb-result.ts";
import { bringBack } from "./bring-back.ts";
import { kernelTarget } from "./in-kernel.ts";
import { recordHistory } from "./record-history.ts";
import { type InProcesses, inEachProcess, type VerbRun } from "./run-in-processes.ts";
import type { Supervision } from "./supervision-choice.ts";

/** The livepatch that is loaded. */
export interface Supervised {
  readonly name: string;
  readonly data: Buffer;
}

/**
 * Loads, and watches what was loaded. Where harm is seen the livepatch is taken out of all that
 * has got it by this load, what it had replaced there is in force again where that can be, and
 * that is written down with the reason.
 *
 * @param load what loads the livepatch
 */
export async function supervised(
  file: Supervised,
  { seconds, health }: Supervision,
  how: VerbRun,
  load: () => Promise<InProcesses>,
): Promise<InProcesses> {
  const { signal, progress } = how.context;
  const patch = file.name;
  progress.step("looking at the machine as it is");
  const onLook = (left: number): void => progress.tick(Math.floor(seconds - left), Math.ceil(seconds), "s");
  using watch = new Watch({ seconds, health, signal, onLook });
  const before = await watch.unhealthyBefore();
  if (before !== undefined) return { results: [unhealthyBefore(patch, before)], hidden: 0 };
  const inForceBefore = await inForce();
  const loaded = await load();
  const done = loaded.results.filter(({ outcome }) => outcome === "done");
  if (done.length === 0) return loaded;
  progress.step("watching the machine");
  const harm = await watch.harm(done.flatMap(({ pid, name }) => (pid === undefined ? [] : [{ pid, name }])));
  if (harm === undefined) {
    const seen = signal.aborted ? "the watch was interrupted: no harm was seen" : `watched for ${seconds} s: no harm`;
    const told = ({ notes }: VerbResult) => ({ notes: [...notes, seen, ...watch.blind] });
    return {
      ...loaded,
      results: loaded.results.map((each) => (done.includes(each) ? { ...each, ...told(each) } : each)),
    };
  }
  progress.step(`taking ${patch} away: ${harm.what}`);
  const results: VerbResult[] = [];
  for (const result of loaded.results)
    results.push(done.includes(result) ? await takenAway({ file, harm, inForceBefore }, result, how) : result);
  const reverted = results.filter(({ problems }) => problems.some(({ code }) => code === "HARM"));
  await recordHistory("revert", patch, reverted);
  return { ...loaded, results };
}

/** The livepatches that are in force, each once for the kernel and once for a program. */
async function inForce(): Promise<readonly LiveLivepatch[]> {
  return liveLivepatches(await kernelState(), patchedProcesses()).filter(({ state }) => state === "enabled");
}

/** Names of those in the kernel (undefined), or in a process. */
function namesIn(live: readonly LiveLivepatch[], pid: number | undefined): string[] {
  return live.flatMap(({ name, isKernel, pids }) =>
    (pid === undefined ? isKernel : pids.includes(pid)) ? [name] : [],
  );
}

interface Harmful {
  readonly file: Supervised;
  readonly harm: Harm;
  readonly inForceBefore: readonly LiveLivepatch[];
}

/** What became of one target: all is as it was before there, or the problems say what is not. */
async function takenAway(
  { file: { name: patch, data }, harm, inForceBefore }: Harmful,
  loaded: VerbResult,
  how: VerbRun,
): Promise<VerbResult> {
  // Who interrupts the watch has not asked for the harm to stay.
  const patient = { ...how, context: { ...how.context, signal: new AbortController().signal } };
  const [away] =
    loaded.pid === undefined
      ? [await kernelTarget(patient).unload(patch)]
      : await inEachProcess([loaded.pid], patient, (target) => target.unload(patch), { mayEnd: true });
  // A process that has ended has nothing of it any more.
  if (away === undefined) return { ...loaded, outcome: "reversed", problems: [harmSeen(patch, harm, "taken away")] };
  if (away.outcome !== "done" && away.outcome !== "unchanged")
    return { ...away, problems: [harmSeen(patch, harm, "not taken away"), ...away.problems] };
  const { pid } = loaded;
  const notInForce = async (names: readonly string[]): Promise<string[]> => {
    const now = namesIn(await inForce(), pid);
    return names.filter((name) => !now.includes(name));
  };
  const replaced = await notInForce(namesIn(inForceBefore, pid));
  for (const name of replaced) await bringBack({ name, pid, notDigest: digestOf(data) }, patient);
  const lost = await notInForce(replaced);
  const back = replaced.filter((name) => !lost.includes(name));
  const notes = back.map((name) => `${name}, the place of which ${patch} had taken, is in force again`);
  const problems = [harmSeen(patch, harm, "taken away"), ...lost.map((name) => notBack(patch, name))];
  return { ...away, outcome: lost.length === 0 ? "reversed" : "failed", problems, notes: [...away.notes, ...notes] };
}

function notBack(patch: string, name: string): Refusal {
  const what = `${name}, the place of which ${patch} had taken, is not in force any more`;
  return refusal(
    "NOT_AS_BEFORE",
    what,
    "",
    "load its file again: suture load FILE; one that is installed comes back by itself",
  );
}

function harmSeen(patch: string, { what, evidence }: Harm, became: "taken away" | "not taken away"): Refusal {
  const said = became === "taken away" ? "was taken away again" : "could not be taken away, and is still there";
  return refusal("HARM", `${patch} ${said}: ${what}`, evidence.join("; "), "see: suture log");
}

function unhealthyBefore(patch: string, { what, evidence }: Harm): VerbResult {
  const hint = "mend what it complains of, or the command";
  const problem = refusal("UNHEALTHY_BEFORE", `${what} before anything is loaded`, evidence.join("; "), hint);
  return { name: patch, outcome: "refused", problems: [problem], notes: [], holders: [] };
}
