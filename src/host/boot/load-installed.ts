/** Loads what is installed, in order, each with a mark on the disk that says which one it is. */
import { type Problem, problemOf, SutureError } from "../../lib/error.ts";
import type { LivepatchFile } from "../../patch/livepatch-file.ts";
import type { ProgramLivepatch } from "../../process/loader/livepatch.ts";
import type { Loadable } from "../../targets/loadable.ts";
import type { VerbResult } from "../../targets/verb-result.ts";
import { describeTarget, type Installed } from "../store/installed.ts";
import type { HostStore } from "../store/store.ts";
import type { Trust } from "../trust/judge.ts";
import { admitInstalled } from "./admit.ts";

/** Where livepatches are loaded: the running system, or what a test makes up. */
export interface BootTargets {
  /** As `uname -r` prints it. */
  readonly release: string;
  /** Names of the livepatches that the kernel has. */
  loaded(): Promise<ReadonlySet<string>>;
  loadKernel(livepatch: LivepatchFile): Promise<VerbResult>;
  /** Into every process that runs what it patches; none is no error. */
  loadProgram(livepatch: ProgramLivepatch): Promise<readonly VerbResult[]>;
}

/** What became of one installed livepatch. */
export interface BootResult {
  readonly name: string;
  readonly target: string;
  /** `other-kernel`: it is for one that does not run, and `left-out`: an earlier boot may have died of it; it was not tried. */
  readonly state: "loaded" | "unchanged" | "refused" | "other-kernel" | "left-out";
  readonly results: readonly VerbResult[];
  /** Why it is left out. */
  readonly why?: string | undefined;
}

type Refused = Extract<Trust, { kind: "refused" }>;

/** How it is loaded. */
export interface LoadOptions {
  /** `boot`: what is loaded is marked, so that the next boot knows what this one has died of. */
  readonly verb: "boot" | "load";
  /** Aborted, those that are left are not tried. */
  readonly signal?: AbortSignal | undefined;
}

/** One is tried after the other; one that is refused does not hold up the next. */
export async function loadInstalled(
  store: HostStore,
  targets: BootTargets,
  { verb, signal }: LoadOptions,
): Promise<BootResult[]> {
  const results: BootResult[] = [];
  const loaded = await targets.loaded();
  for (const each of store.installed()) {
    if (signal?.aborted === true) break;
    results.push(await loadOne(store, each, targets, { verb, loaded }));
  }
  return results;
}

async function loadOne(
  store: HostStore,
  installed: Installed,
  targets: BootTargets,
  { verb, loaded }: Pick<LoadOptions, "verb"> & { readonly loaded: ReadonlySet<string> },
): Promise<BootResult> {
  const { name, target, leftOut } = installed;
  const result = { name, target: describeTarget(target), results: [] };
  if (leftOut !== undefined) return { ...result, state: "left-out", why: leftOut.why };
  if (target.kind === "kernel" && target.release !== targets.release) return { ...result, state: "other-kernel" };
  if (target.kind === "kernel" && loaded.has(name)) return { ...result, state: "unchanged" };
  const event = { verb, patch: name, target: result.target } as const;
  const read = await orProblem(() => admitInstalled(store, installed, "command"));
  const admitted = "problem" in read || read.value.kind === "refused" ? undefined : read.value;
  if (admitted === undefined) {
    const problem = "problem" in read ? problemOf(read.problem) : (read.value as Refused).refusal;
    store.record({ ...event, outcome: "refused", code: problem.code, why: problem.what });
    return { ...result, state: "refused", results: [resultOf(result.target, "refused", problem)] };
  }
  const trial = verb === "boot" ? store.beginTrial(installed) : undefined;
  const loads = await orProblem(() => loadIt(admitted.loadable, targets));
  // Of what has thrown it is not known how far it came.
  const results = "problem" in loads ? [resultOf(result.target, "failed", problemOf(loads.problem))] : loads.value;
  if (results.every(({ outcome }) => outcome === "unchanged")) {
    if (trial !== undefined) store.forgetTrial(trial);
    return { ...result, state: "unchanged", results };
  }
  const refused = results.find(({ outcome }) => !["done", "unchanged"].includes(outcome));
  const pids = results.flatMap(({ pid }) => pid ?? []);
  const [problem] = refused?.problems ?? [];
  const told = { ...event, outcome: refused?.outcome ?? "done", code: problem?.code, why: problem?.what, pids };
  const isNothingThere = results.every(({ outcome }) => outcome === "refused" || outcome === "reversed");
  if (trial === undefined) store.record(told);
  else if (isNothingThere) store.trialRefused(trial, told);
  else store.trialLoaded(trial, told);
  return { ...result, state: refused === undefined ? "loaded" : "refused", results };
}

async function loadIt(loadable: Loadable, targets: BootTargets): Promise<readonly VerbResult[]> {
  return loadable.kind === "kernel"
    ? [await targets.loadKernel(loadable.livepatch)]
    : await targets.loadProgram(loadable.livepatch);
}

/** An error that can be told is a result as well: what else is installed is loaded all the same. */
async function orProblem<Value>(
  work: () => Value | Promise<Value>,
): Promise<{ value: Value } | { problem: SutureError }> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof SutureError) return { problem: error };
    throw error;
  }
}

function resultOf(name: string, outcome: VerbResult["outcome"], problem: Problem): VerbResult {
  return { name, outcome, problems: [problem], notes: [], holders: [] };
}
