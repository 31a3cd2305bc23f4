/** What an installed livepatch is worth on the machine as it is now. */
import type { KernelState } from "../../targets/kernel/look.ts";
import { type Installed, type InstalledTarget, pathsOf } from "../store/installed.ts";

/**
 * `live`: in effect wherever what it is for runs. `partly`: in some of the processes. `not-loaded`: what it is
 * for runs without it. `idle`: no process runs what it is for. `other-kernel`: another kernel runs.
 * `not-needed`: the file on disk is another build, and nothing runs the old one any more.
 * `left-out`: a boot may have died of it.
 */
export type InstalledStateKind = "live" | "partly" | "not-loaded" | "idle" | "other-kernel" | "not-needed" | "left-out";

/** Of one installed livepatch. */
export interface InstalledState {
  readonly kind: InstalledStateKind;
  /** Whether the next boot, of the kernel that runs now, loads it, or a process that starts then. */
  readonly isAtBoot: boolean;
  /** How many processes run what it is for. */
  readonly processes: number;
  /** Those of them in which it is not in effect. */
  readonly without: readonly number[];
  /** Files on disk that are another build than it is for: the next start brings that one. */
  readonly replaced: readonly string[];
  /** Whether a process runs one of those. */
  readonly isSuccessorRunning: boolean;
  /** In words, where there is something to say. */
  readonly why?: string | undefined;
}

/** What is known of the machine where the state of an installed livepatch is told. */
export interface Surroundings {
  readonly kernel: KernelState;
  /** Processes by build-id of what they run. */
  readonly running: ReadonlyMap<string, readonly number[]>;
  /** Build-ids of files, by path. */
  readonly onDisk: ReadonlyMap<string, string>;
  /** Names of the livepatches that are in effect, by process. */
  readonly has: ReadonlyMap<number, ReadonlySet<string>>;
}

const NOWHERE = { processes: 0, without: [], replaced: [], isSuccessorRunning: false } as const;

/** Nothing is looked up. */
export function stateOfInstalled(installed: Installed, around: Surroundings): InstalledState {
  const { leftOut, target } = installed;
  const state = target.kind === "kernel" ? inKernel(installed, target, around) : inPrograms(installed, target, around);
  return leftOut === undefined ? state : { ...state, kind: "left-out", isAtBoot: false, why: leftOut.why };
}

type KernelTarget = Extract<InstalledTarget, { kind: "kernel" }>;
type ProgramTarget = Extract<InstalledTarget, { kind: "program" }>;

function inKernel({ name }: Installed, { release }: KernelTarget, { kernel }: Surroundings): InstalledState {
  if (kernel.name !== `Linux ${release}`) return { ...NOWHERE, kind: "other-kernel", isAtBoot: false };
  const patch = kernel.patches.find((each) => each.name === name);
  const isLive = patch?.state === "enabled" || patch?.state === "enabling";
  return { ...NOWHERE, kind: isLive ? "live" : "not-loaded", isAtBoot: true };
}

function inPrograms(
  { name }: Installed,
  { objects }: ProgramTarget,
  { running, has, onDisk }: Surroundings,
): InstalledState {
  const pids = [...new Set(objects.flatMap(({ buildId }) => running.get(buildId) ?? []))];
  const without = pids.filter((pid) => has.get(pid)?.has(name) !== true);
  const gone = objects.map(({ buildId, ...object }) => {
    const there = pathsOf({ buildId, ...object }).filter((path) => onDisk.has(path));
    return there.some((path) => onDisk.get(path) === buildId) ? [] : there;
  });
  const isReplaced = gone.every((paths) => paths.length > 0);
  const replaced = gone.flat();
  const isSuccessorRunning = replaced.some((path) => (running.get(onDisk.get(path) ?? "") ?? []).length > 0);
  const state = { processes: pids.length, without, replaced, isSuccessorRunning };
  if (pids.length === 0 && isReplaced)
    return {
      ...state,
      kind: "not-needed",
      isAtBoot: false,
      why: "what is on disk is another build, and nothing runs the one that it is for",
    };
  const kind =
    pids.length === 0 ? "idle" : without.length === 0 ? "live" : without.length < pids.length ? "partly" : "not-loaded";
  const why = replaced.length === 0 ? undefined : `what is on disk is another build: a restart brings that one`;
  return { ...state, kind, isAtBoot: !isReplaced, why };
}
