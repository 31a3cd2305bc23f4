/** Runs a verb where it is to be run: in the running kernel, or in processes. */
import { SutureError } from "../lib/error.ts";
import { readGivenFile } from "../lib/read-file.ts";
import { kernelState } from "../targets/kernel/look.ts";
import type { Loadable } from "../targets/loadable.ts";
import { patchedProcesses } from "../targets/process/look.ts";
import type { Target } from "../targets/target.ts";
import type { VerbResult } from "../targets/verb-result.ts";
import type { Outcome } from "./command.ts";
import type { Json } from "./documents.ts";
import { kernelTarget } from "./in-kernel.ts";
import { judgeFile, refusedFile, withSigner } from "./judge-file.ts";
import { hasPatch } from "./patched-report.ts";
import { recordHistory } from "./record-history.ts";
import { type InProcesses, inEachProcess, inProcessesOf, type VerbRun } from "./run-in-processes.ts";
import type { supervised } from "./supervise-load.ts";
import type { Supervision } from "./supervision-choice.ts";
import type { Choice, PatchedChoice } from "./target-choice.ts";
import { usage } from "./usage.ts";
import { verbOutcome } from "./verb-report.ts";

/** Verbs on a livepatch that comes as a file: it says itself which kind of target it is for. */
export type FileVerb = "preflight" | "load";
/** How such a verb is run. */
export interface FileVerbRun extends VerbRun {
  /** Take an older version than the one that is loaded. */
  readonly allowOlder: boolean;
  /** Watch the machine after a load. */
  readonly supervision?: Supervision | undefined;
}
/** Verbs on a patch that is loaded, and known by its name. */
export type PatchVerb = "enable" | "disable" | "force" | "unload";

const DID: Readonly<Record<FileVerb | PatchVerb | "signal", string>> = {
  preflight: "can be loaded",
  load: "loaded",
  enable: "enabled",
  disable: "disabled",
  force: "forced",
  unload: "unloaded",
  signal: "settled",
};

/** Runs a verb that takes a livepatch file: one that the administrator lets in. */
export async function runFileVerb(
  verb: FileVerb,
  path: string,
  choice: Choice | undefined,
  how: FileVerbRun,
): Promise<Outcome<Json<FileVerb | PatchVerb | "signal">>> {
  const { allowOlder, context } = how;
  const { signal } = context;
  const data = await readGivenFile(path, { signal });
  const trust = await judgeFile({ path, data }, { allowOlder, taker: context.taker, signal });
  if (trust.kind === "refused") return refusedFile(path, trust);
  const { name } = trust.livepatch;
  const run = async (): Promise<InProcesses> => await inTargetsOf(verb, trust.loadable, choice, how);
  const { results, hidden } =
    how.supervision === undefined ? await run() : await watched({ name, data }, how.supervision, how, run);
  return withSigner(await told(verb, name, results, hidden), trust);
}

/** The watch is loaded only where it is wanted. */
async function watched(...args: Parameters<typeof supervised>): Promise<InProcesses> {
  const { supervised } = await import("./supervise-load.ts");
  return await supervised(...args);
}

async function inTargetsOf(verb: FileVerb, { kind, livepatch }: Loadable, choice: Choice | undefined, how: VerbRun) {
  if (kind === "program") {
    if (choice === undefined) throw usage("this is a livepatch for programs: give --pid N, or --all", verb);
    return await inProcessesOf(livepatch, choice, how, (target) => target[verb](livepatch));
  }
  if (choice !== undefined)
    throw usage("this is a livepatch for the kernel, which --pid and --all do not choose", verb);
  return { results: [await kernelTarget(how)[verb](livepatch)], hidden: 0 };
}

/** Runs a verb on a patch that is loaded, where it is. */
export async function runPatchVerb(
  verb: PatchVerb,
  patch: string,
  choice: PatchedChoice,
  how: VerbRun,
): Promise<Outcome<Json<FileVerb | PatchVerb | "signal">>> {
  // Both kinds of targets have each of these verbs.
  const run = (target: Pick<Target<never>, PatchVerb>): Promise<VerbResult> => target[verb](patch);
  if (choice.kind === "pids") return await told(verb, patch, await inEachProcess(choice.pids, how, run));
  const { pids, hidden, isInKernel } = await whereIs(patch, choice);
  const results = isInKernel ? [await run(kernelTarget(how))] : await inEachProcess(pids, how, run, { mayEnd: true });
  return await told(verb, patch, results, hidden);
}

/** `signal`, which the kernel alone needs: in a process suture itself has every thread switch. */
export async function runSignal(patch: string, how: VerbRun): Promise<Outcome<Json<FileVerb | PatchVerb | "signal">>> {
  return await told("signal", patch, [await kernelTarget(how).signal(patch)]);
}

/** The outcome; what has changed something, or was to, goes into the history as well. */
export async function told(
  verb: keyof typeof DID,
  patch: string,
  results: readonly VerbResult[],
  hidden = 0,
): Promise<Outcome<Json<"load">>> {
  const outcome = verbOutcome(patch, DID[verb], results, hidden);
  if (verb === "preflight") return outcome;
  return { ...outcome, lines: [...outcome.lines, ...(await recordHistory(verb, patch, results))] };
}

interface Where {
  readonly isInKernel: boolean;
  readonly pids: readonly number[];
  readonly hidden: number;
}

/** Throws `NO_SUCH_PATCH`, and `PATCH_AMBIGUOUS` where the kernel and processes have livepatches of one name and none is chosen. */
async function whereIs(patch: string, choice: Exclude<PatchedChoice, { readonly kind: "pids" }>): Promise<Where> {
  const isInKernel = choice.kind !== "processes" && (await kernelState()).patches.some(({ name }) => name === patch);
  if (isInKernel && choice.kind === "kernel") return { isInKernel, pids: [], hidden: 0 };
  const { processes, newer, hidden } = patchedProcesses();
  const pids =
    choice.kind === "kernel"
      ? []
      : [
          ...processes.filter((state) => hasPatch(state, patch)),
          ...newer.filter((state) => state.newer.names.includes(patch)),
        ].map(({ pid }) => pid);
  if (isInKernel && pids.length > 0) {
    throw new SutureError(
      "PATCH_AMBIGUOUS",
      `the kernel and ${pids.length} processes have a livepatch called ${patch}`,
      {
        hint: "say which is meant: --target kernel, --target processes, or --pid N",
      },
    );
  }
  if (!isInKernel && pids.length === 0)
    throw new SutureError("NO_SUCH_PATCH", `${WHERE[choice.kind]} a livepatch called ${patch}`, {
      hint: "see: suture list",
    });
  return { isInKernel, pids, hidden: isInKernel ? 0 : hidden };
}

const WHERE = {
  any: "neither the kernel nor a process has",
  kernel: "the kernel does not have",
  processes: "no process has",
} as const;
