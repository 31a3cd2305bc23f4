/** The running system as what is loaded into at boot. */
import { SutureError } from "../../lib/error.ts";
import type { ProgramLivepatch } from "../../process/loader/livepatch.ts";
import { ImageStore } from "../../process/stack/images.ts";
import { releaseOf } from "../../targets/kernel/identity.ts";
import { KernelTarget } from "../../targets/kernel/kernel-target.ts";
import { kernelState } from "../../targets/kernel/look.ts";
import { findProcesses } from "../../targets/process/discover.ts";
import { failedIn } from "../../targets/process/failed.ts";
import { ProcessTarget, type ProcessTargetOptions } from "../../targets/process/process-target.ts";
import type { VerbResult } from "../../targets/verb-result.ts";
import type { BootTargets } from "./load-installed.ts";

/** Milliseconds that a transition in a process may take. */
const PROCESS_TIMEOUT_MS = 10_000;

/** How transitions go. Aborted, what is under way is turned back. */
export type SystemOptions = Pick<ProcessTargetOptions, "signal" | "consistency" | "timeoutMs" | "onDeadline">;

/** Where nothing is said of them, transitions have the time that is usual for their targets. */
export async function runningSystem(options: SystemOptions = {}): Promise<BootTargets> {
  const { signal, timeoutMs, onDeadline } = options;
  return {
    release: await releaseOf("/"),
    loaded: async () => new Set((await kernelState()).patches.map(({ name }) => name)),
    loadKernel: async (livepatch) => await new KernelTarget({ signal, timeoutMs, onDeadline }).load(livepatch),
    loadProgram: async (livepatch) => await loadIntoProcesses(livepatch, options),
  };
}

/** Into all processes that run what it patches, looked for again until there are no new ones; those that have ended meanwhile are passed over. */
export async function loadIntoProcesses(livepatch: ProgramLivepatch, given: SystemOptions): Promise<VerbResult[]> {
  const known = new Map<string, string | undefined>();
  const { signal } = given;
  const options = { ...given, images: new ImageStore(), symbols: new Map() };
  const seen = new Set<number>();
  const results: VerbResult[] = [];
  for (;;) {
    const { pids } = findProcesses(livepatch, known, seen);
    if (pids.length === 0 || signal?.aborted === true) return results;
    for (const pid of pids) {
      seen.add(pid);
      const result = await loadIntoProcess(pid, livepatch, options);
      if (result !== undefined) results.push(result);
    }
  }
}

/** undefined where the process has ended. */
export async function loadIntoProcess(
  pid: number,
  livepatch: ProgramLivepatch,
  { timeoutMs = PROCESS_TIMEOUT_MS, ...options }: ProcessTargetOptions,
): Promise<VerbResult | undefined> {
  try {
    return await new ProcessTarget(pid, { ...options, timeoutMs }).load(livepatch);
  } catch (error) {
    if (error instanceof SutureError && error.code === "TARGET_GONE") return undefined;
    return failedIn(pid, error);
  }
}
