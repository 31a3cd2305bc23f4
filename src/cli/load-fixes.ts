/** Loads a livepatch of fixes, and takes out those that it has taken the place of. */
import { KERNEL_PREFIX } from "../host/catch-up/catch-up-kernel.ts";
import { catchUpPrefix } from "../host/catch-up/catch-up-series.ts";
import { problemOf, SutureError } from "../lib/error.ts";
import { kernelState } from "../targets/kernel/look.ts";
import { isGone } from "../targets/process/discover.ts";
import { patchedState } from "../targets/process/look.ts";
import type { CaughtUpSystem, LoadedResult } from "./catch-up-report.ts";
import type { VerbRun } from "./run-in-processes.ts";
import { runFileVerb, runPatchVerb } from "./run-verb.ts";
import type { Choice } from "./target-choice.ts";

/** What the load did in the kernel, or in each process; none where nothing runs that it is for. */
export async function loadFixes(
  { kind, name, livepatch, isRunning }: Omit<CaughtUpSystem, "results">,
  choice: Choice,
  { transition, context }: VerbRun,
): Promise<readonly LoadedResult[]> {
  if (livepatch === undefined || !isRunning) return [];
  const how = { transition, context };
  const results = await loaded(livepatch.path, kind === "kernel" ? undefined : choice, how);
  const done = results.filter(({ outcome }) => outcome === "done" || outcome === "unchanged");
  if (kind === "kernel") {
    if (done.length === 0) return results;
    const { patches } = await kernelState();
    for (const each of patches)
      if (each.name !== livepatch.name && each.name.startsWith(KERNEL_PREFIX) && !each.stays)
        await runPatchVerb("unload", each.name, { kind: "kernel" }, how);
    return results;
  }
  const earlier = new Map<string, number[]>();
  for (const { pid } of done)
    for (const each of pid === undefined ? [] : earlierIn(pid, catchUpPrefix(name), livepatch.name))
      earlier.set(each, [...(earlier.get(each) ?? []), pid as number]);
  for (const [patch, pids] of earlier) await runPatchVerb("unload", patch, { kind: "pids", pids }, how);
  return results;
}

function earlierIn(pid: number, prefix: string, name: string): string[] {
  try {
    const patches = patchedState(pid)?.core.patches ?? [];
    return patches.map((patch) => patch.name).filter((each) => each !== name && each.startsWith(prefix));
  } catch (error) {
    if (error instanceof SutureError || isGone(error)) return [];
    throw error;
  }
}

async function loaded(path: string, choice: Choice | undefined, how: VerbRun): Promise<readonly LoadedResult[]> {
  try {
    const { json } = await runFileVerb("load", path, choice, { ...how, allowOlder: true });
    return json.results;
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
    // Nothing runs it any more: then nothing waits for it either.
    if (error.code === "NO_PROCESS") return [];
    return [{ name: path, outcome: "failed", problems: [problemOf(error)], notes: [], holders: [] }];
  }
}
