/** What is loaded, each livepatch once for the kernel and once for each program. */
import { statusOf } from "../../core/status.ts";
import type { KernelState } from "../../targets/kernel/look.ts";
import type { Overview } from "../../targets/process/look.ts";
import type { HolderRecord } from "../../targets/verb-result.ts";

/** A livepatch in the kernel, or in all processes of one program in which its state is the same. */
export interface LiveLivepatch {
  readonly name: string;
  /** `Linux 6.1.0-1-amd64`, `redis-server`. */
  readonly where: string;
  readonly isKernel: boolean;
  /** `enabling` and `disabling`: a transition goes on. `unloaded`: nothing but its memory is there. */
  readonly state: "enabled" | "enabling" | "disabling" | "disabled" | "replaced" | "unloaded";
  readonly isForced: boolean;
  readonly pids: readonly number[];
  /** Tasks of the kernel that hold a transition up, and why. */
  readonly holders: readonly HolderRecord[];
}

/** In the order in which they were loaded into the kernel; then by program. */
export function liveLivepatches(kernel: KernelState, { processes }: Overview): LiveLivepatch[] {
  const inKernel = kernel.patches.map(({ name, state, holders }): LiveLivepatch => {
    return { name, where: kernel.name, isKernel: true, state, isForced: false, pids: [], holders };
  });
  const inPrograms = new Map<string, LiveLivepatch & { readonly pids: number[] }>();
  const add = (live: Omit<LiveLivepatch, "isKernel" | "holders">, pid: number): void => {
    const key = JSON.stringify([live.where, live.name, live.state, live.isForced]);
    const there = inPrograms.get(key) ?? { ...live, isKernel: false, holders: [], pids: [] };
    there.pids.push(pid);
    inPrograms.set(key, there);
  };
  for (const { pid, name: where, core, loaded } of processes) {
    for (const patch of core.patches) {
      const { name, enabled, transition, forced, replacedBy } = statusOf(core, patch);
      const settled = enabled ? "enabled" : replacedBy === undefined ? "disabled" : "replaced";
      const state = transition === undefined ? settled : transition === "patching" ? "enabling" : "disabling";
      add({ name, where, state, isForced: forced, pids: [] }, pid);
    }
    const kept = new Set((loaded.kept ?? []).map(({ name }) => name));
    for (const name of kept) add({ name, where, state: "unloaded", isForced: false, pids: [] }, pid);
  }
  const sorted = [...inPrograms.values()].toSorted((a, b) => compare(a.where, b.where) || compare(a.name, b.name));
  return [...inKernel, ...sorted];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
