/** Runs a verb in one process after the other. */
import { problemOf, SutureError } from "../lib/error.ts";
import { abortReason } from "../lib/interrupt.ts";
import { readGivenFile } from "../lib/read-file.ts";
import { findProcesses } from "../targets/process/discover.ts";
import { type ProgramLivepatch, readProgramLivepatch } from "../targets/process/load/livepatch.ts";
import { patchedProcesses } from "../targets/process/look.ts";
import { ProcessTarget } from "../targets/process/process-target.ts";
import { statusOf } from "../targets/process/process-view.ts";
import { ImageStore } from "../targets/process/unwind/images.ts";
import type { VerbResult } from "../targets/process/verb-result.ts";
import type { Context, Outcome } from "./command.ts";
import { hasPatch } from "./patched-report.ts";
import type { Choice, Consistency } from "./process-choice.ts";
import { verbOutcome } from "./verb-report.ts";

export interface TransitionChoice {
  readonly consistency: Consistency;
  readonly timeoutSeconds: number;
  /** Leave a transition as it is when time is over. */
  readonly keep: boolean;
}

export type PatchVerb = "enable" | "disable" | "force" | "unload";

const DID: Readonly<Record<PatchVerb, string>> = {
  enable: "enabled",
  disable: "disabled",
  force: "forced",
  unload: "unloaded",
};

/** From so many processes on, progress is shown. */
const MANY = 20;

type Run = (target: ProcessTarget) => Promise<VerbResult>;

/** Loads a livepatch file; with `all`, looks for processes again until there are no new ones. */
export async function runLoad(
  path: string,
  choice: Choice,
  transition: TransitionChoice,
  context: Context,
): Promise<Outcome> {
  const livepatch = readProgramLivepatch(await readGivenFile(path, { signal: context.signal }), path);
  const { results, hidden } = await overProcesses(livepatch, choice, transition, context, (target) =>
    target.load(livepatch),
  );
  return verbOutcome(livepatch.name, "loaded", results, hidden);
}

/** Says what loading would do, and changes nothing. */
export async function runPreflight(path: string, choice: Choice, context: Context): Promise<Outcome> {
  const livepatch = readProgramLivepatch(await readGivenFile(path, { signal: context.signal }), path);
  const none: TransitionChoice = { consistency: "stop", timeoutSeconds: 1, keep: false };
  const { results, hidden } = await overProcesses(livepatch, choice, none, context, (target) =>
    target.preflight(livepatch),
  );
  return verbOutcome(livepatch.name, "can be loaded", results, hidden);
}

async function overProcesses(
  livepatch: ProgramLivepatch,
  choice: Choice,
  transition: TransitionChoice,
  context: Context,
  run: Run,
): Promise<{ readonly results: readonly VerbResult[]; readonly hidden: number }> {
  if (choice.kind === "pids") return { results: await inEach(choice.pids, transition, context, run, false), hidden: 0 };
  const known = new Map<string, string | undefined>();
  const seen = new Set<number>();
  const results: VerbResult[] = [];
  for (;;) {
    const { pids: fresh, hidden } = findProcesses(livepatch, known, seen);
    if (fresh.length === 0 && seen.size === 0) throw noProcess(livepatch);
    if (fresh.length === 0 || context.signal.aborted) return { results, hidden };
    for (const pid of fresh) seen.add(pid);
    results.push(...(await inEach(fresh, transition, context, run, true)));
  }
}

function noProcess({ name, objects }: ProgramLivepatch): SutureError {
  const ids = objects.map(({ record }) => `${record.name}, build-id ${record.buildId}`).join("; ");
  return new SutureError("NO_PROCESS", `no process runs what ${name} patches`, {
    where: ids,
    hint: "start the program, or build the livepatch for the version that runs",
  });
}

/** Runs a verb on a patch that is loaded, where it is. */
export async function runPatchVerb(
  verb: PatchVerb,
  patch: string,
  choice: Choice,
  transition: TransitionChoice,
  context: Context,
): Promise<Outcome> {
  const run: Run = (target) => target[verb](patch);
  if (choice.kind === "pids")
    return verbOutcome(patch, DID[verb], await inEach(choice.pids, transition, context, run, false));
  const { processes, hidden } = patchedProcesses();
  const pids = processes.filter((state) => hasPatch(state, patch)).map(({ pid }) => pid);
  if (pids.length === 0)
    throw new SutureError("NO_SUCH_PATCH", `no process has a livepatch called ${patch}`, { hint: "see: suture list" });
  return verbOutcome(patch, DID[verb], await inEach(pids, transition, context, run, true), hidden);
}

/** @param mayEnd a process that has ended meanwhile is passed over: nobody asked for it by its number */
async function inEach(
  pids: readonly number[],
  { consistency, timeoutSeconds, keep }: TransitionChoice,
  { signal, progress }: Context,
  run: Run,
  mayEnd: boolean,
): Promise<VerbResult[]> {
  const results: VerbResult[] = [];
  const options = {
    images: new ImageStore(),
    symbols: new Map(),
    consistency,
    timeoutMs: timeoutSeconds * 1000,
    onDeadline: keep ? ("keep" as const) : ("reverse" as const),
    signal,
  };
  for (const [index, pid] of pids.entries()) {
    if (signal.aborted) {
      if (results.length === 0) throw abortReason(signal);
      break;
    }
    if (pids.length >= MANY) progress.tick(index, pids.length);
    try {
      results.push(await run(new ProcessTarget(pid, options)));
    } catch (error) {
      const isGone = error instanceof SutureError && error.code === "TARGET_GONE";
      if (isGone && mayEnd) continue;
      if (pids.length === 1 && !(isGone && mayEnd)) throw error;
      results.push(failed(pid, error));
    }
  }
  return results;
}

function failed(pid: number, error: unknown): VerbResult {
  if (!(error instanceof SutureError)) throw error;
  return { pid, name: nameOf(pid), outcome: "failed", problems: [problemOf(error)], notes: [], holders: [] };
}

function nameOf(pid: number): string {
  try {
    return statusOf(pid).name;
  } catch {
    return "a process";
  }
}
