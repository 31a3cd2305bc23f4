/** How many of the fixes that were found for what runs are live, by what is in effect now. */
import type { FixRecord } from "../catch-up/record.ts";
import type { Surroundings } from "./installed-state.ts";

/** Of a kernel that runs, or of one version of a program that does. */
export interface FixCount {
  readonly kind: "program" | "kernel";
  readonly name: string;
  readonly from?: string | undefined;
  /** All of each is in force in every process, or in the kernel. */
  readonly live: number;
  /** For a restart or a reboot, or for the livepatch where it is not in effect everywhere. */
  readonly waiting: number;
  /** Processes in which the livepatch is not in effect. */
  readonly without: readonly number[];
  /** All of these, by name. */
  readonly each: readonly FixNow[];
}

/** One fix, now. */
export interface FixNow {
  readonly name: string;
  readonly isLive: boolean;
  /** Why it was left out of the livepatch; undefined where it is in it. */
  readonly code?: string | undefined;
}

/** What does not run any more is none of them: its successor is told of by the next run. */
export function fixCounts(records: readonly FixRecord[], around: Omit<Surroundings, "onDisk">): FixCount[] {
  return records.flatMap((record) => {
    const { kind, name, from, inIt, waiting } = record;
    const without = kind === "kernel" ? withoutInKernel(record, around) : withoutInProcesses(record, around);
    if (without === undefined) return [];
    const isLive = record.livepatch !== undefined && !without.isMissing;
    const live = isLive ? inIt.length : 0;
    const each: FixNow[] = [
      ...inIt.map((fix) => ({ name: fix, isLive })),
      ...waiting.map((fix) => ({ name: fix.name, isLive: false, code: fix.code })),
    ];
    return [{ kind, name, from, live, waiting: each.length - live, without: without.pids, each }];
  });
}

interface Without {
  readonly isMissing: boolean;
  readonly pids: readonly number[];
}

/** undefined for a kernel that does not run. */
function withoutInKernel(
  { name, livepatch }: FixRecord,
  { kernel }: Pick<Surroundings, "kernel">,
): Without | undefined {
  if (kernel.name !== name) return undefined;
  return {
    isMissing: !kernel.patches.some((patch) => patch.name === livepatch && patch.state === "enabled"),
    pids: [],
  };
}

/** undefined where no process runs it. */
function withoutInProcesses(
  { buildIds, livepatch = "" }: FixRecord,
  { running, has }: Pick<Surroundings, "running" | "has">,
): Without | undefined {
  const all = [...new Set(buildIds.flatMap((id) => running.get(id) ?? []))].sort((a, b) => a - b);
  if (all.length === 0) return undefined;
  const pids = all.filter((pid) => has.get(pid)?.has(livepatch) !== true);
  return { isMissing: pids.length > 0, pids };
}
