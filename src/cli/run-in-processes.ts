/** Runs a verb in one process after the other. */
import { SutureError } from "../lib/error.ts";
import { abortReason } from "../lib/interrupt.ts";
import type { ProgramLivepatch } from "../process/loader/livepatch.ts";
import { ImageStore } from "../process/stack/images.ts";
import { findProcesses } from "../targets/process/discover.ts";
import { failedIn } from "../targets/process/failed.ts";
import { ProcessTarget } from "../targets/process/process-target.ts";
import type { VerbResult } from "../targets/verb-result.ts";
import type { Context } from "./command.ts";
import type { Choice, TransitionChoice } from "./target-choice.ts";

/** From so many processes on, progress is shown. */
const MANY = 20;
/** Seconds. */
const DEFAULT_TIMEOUT = 10;

/** A verb on one process; its target is used for this one call. */
export type InProcess = (target: ProcessTarget) => Promise<VerbResult>;

/** What became of a verb in each process, in the order in which they were come to. */
export interface InProcesses {
  readonly results: readonly VerbResult[];
  /** How many processes this user may not look into. */
  readonly hidden: number;
}

/** With what a verb is run, wherever that is. */
export interface VerbRun {
  readonly transition: TransitionChoice;
  readonly context: Context;
}

/** With `all`, looks for processes again until there are no new ones. */
export async function inProcessesOf(
  livepatch: ProgramLivepatch,
  choice: Choice,
  how: VerbRun,
  run: InProcess,
): Promise<InProcesses> {
  if (choice.kind === "pids") return { results: await inEachProcess(choice.pids, how, run), hidden: 0 };
  const known = new Map<string, string | undefined>();
  const seen = new Set<number>();
  const results: VerbResult[] = [];
  for (;;) {
    const { pids: fresh, hidden } = findProcesses(livepatch, known, seen);
    if (fresh.length === 0 && seen.size === 0) throw noProcess(livepatch);
    if (fresh.length === 0 || how.context.signal.aborted) return { results, hidden };
    for (const pid of fresh) seen.add(pid);
    results.push(...(await inEachProcess(fresh, how, run, { mayEnd: true })));
  }
}

function noProcess({ name, objects }: ProgramLivepatch): SutureError {
  const ids = objects.map(({ record }) => `${record.name}, build-id ${record.buildId}`).join("; ");
  return new SutureError("NO_PROCESS", `no process runs what ${name} patches`, {
    where: ids,
    hint: "start the program, or build the livepatch for the version that runs",
  });
}

/** @param mayEnd a process that has ended meanwhile is passed over: nobody asked for it by its number */
export async function inEachProcess(
  pids: readonly number[],
  { transition, context: { signal, progress } }: VerbRun,
  run: InProcess,
  { mayEnd = false } = {},
): Promise<VerbResult[]> {
  const { consistency, timeoutSeconds = DEFAULT_TIMEOUT, keep } = transition;
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
      results.push(failedIn(pid, error));
    }
  }
  return results;
}
