/** What is loaded in the running kernel and in running programs, as lines. */

import { type PatchStatus, statusOf } from "../core/status.ts";
import { describeNewer } from "../lib/format.ts";
import type { LoadedPart } from "../process/store/load-record.ts";
import type { KernelState } from "../targets/kernel/look.ts";
import type { NewerState, Overview, PatchedState } from "../targets/process/look.ts";
import type { Json } from "./documents.ts";
import { kernelPatchJson, kernelStateOf } from "./kernel-report.ts";

/** What has livepatches on a machine. */
export interface Seen extends Overview {
  readonly kernel: KernelState;
}

/** One line for each patch of the kernel and of each process, and for what unloaded ones have left. */
export function listLines({ kernel, processes, newer, hidden }: Seen): string[] {
  const inKernel = kernel.patches.map((patch) => ["kernel", kernel.name, patch.name, kernelStateOf(patch)]);
  const inProcesses = processes.flatMap((state) => [
    ...state.core.patches.map((patch) => {
      const status = statusOf(state.core, patch);
      return [String(state.pid), state.name, status.name, stateOf(status)];
    }),
    ...keptNames(state).map((name) => [String(state.pid), state.name, name, "unloaded, its memory stays"]),
  ]);
  const byNewer = newer.flatMap((state) =>
    (state.newer.names.length === 0 ? ["?"] : state.newer.names).map((name) => [
      String(state.pid),
      state.name,
      name,
      "loaded by a newer suture",
    ]),
  );
  const rows = [...inKernel, ...inProcesses, ...byNewer];
  const widths = [0, 1, 2].map((column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => row.map((text, column) => text.padEnd(widths[column] ?? 0)).join("  "));
  return [
    ...(lines.length === 0 ? ["neither the kernel nor a process has a livepatch"] : lines),
    ...hiddenLines(hidden),
  ];
}

/**
 * One line where `hidden` processes were not looked into, so that a list is not taken
 * for the whole; none where all were.
 */
export function hiddenLines(hidden: number): string[] {
  if (hidden === 0) return [];
  const them = hidden === 1 ? "1 process" : `${hidden} processes`;
  const isRoot = process.geteuid?.() === 0;
  return [`${them} could not be looked into${isRoot ? ", not even by root" : ": run suture as root to see all"}`];
}

function keptNames({ loaded: { kept = [] } }: PatchedState): string[] {
  return [...new Set(kept.map(({ name }) => name))];
}

/** What --json prints of the same. */
export function listJson({ kernel, processes, newer, damaged, hidden }: Seen): Json<"list"> {
  return {
    kernel: { name: kernel.name, patches: kernel.patches.map(kernelPatchJson) },
    processes: processes.map((state) => ({
      pid: state.pid,
      name: state.name,
      patches: patchesJson(state),
      kept: (state.loaded.kept ?? []).map(({ name, digest, of, objects }) => ({ name, digest, of, placed: objects })),
    })),
    newer: newer.map(newerJson),
    damaged: damaged.map(({ pid, error }) => ({ pid, code: error.code, what: error.message })),
    hidden,
  };
}

/**
 * The patches of one process as --json prints them: their state by the core's record,
 * and where they were placed by the loader's.
 */
export function patchesJson({ core, loaded }: PatchedState): Json<"info">["processes"][number]["patches"] {
  return core.patches.map((patch) => {
    const placed = loaded.patches.find(({ name }) => name === patch.name);
    return {
      ...statusOf(core, patch),
      replace: patch.replace,
      states: patch.states,
      of: placed?.of,
      digest: placed?.digest,
      placed: placed?.objects,
    };
  });
}

/** What --json prints of a process in which a newer suture has loaded something. */
export function newerJson({ pid, name, newer }: NewerState): Json<"info">["newer"][number] {
  return { pid, name, version: newer.version, known: newer.known, tool: newer.tool, patches: newer.names };
}

/** The same for a reader. */
export function newerLines({ pid, name, newer }: NewerState, patch: string): string[] {
  return [`${patch} in ${name} (${pid}): what is remembered of it ${describeNewer(newer)}`];
}

/** All about one patch in one process. */
export function infoLines(state: PatchedState, name: string): string[] {
  const patch = state.core.patches.find((each) => each.name === name);
  if (patch === undefined) return [];
  const placed = state.loaded.patches.find((each) => each.name === name);
  return [
    `${name} in ${state.name} (${state.pid}): ${stateOf(statusOf(state.core, patch))}`,
    ...(placed === undefined ? [] : [`  a livepatch for ${placed.of}, sha256 ${placed.digest}`]),
    ...(placed?.objects ?? []).flatMap((part) => [`  ${part.name}`, ...partLines(part)]),
    ...patch.absent.map((object) => `  ${object}: not loaded in this process`),
  ];
}

function partLines({ path, buildId, executable, writable, funcs }: LoadedPart): string[] {
  const range = ({ start, end }: { readonly start: number; readonly end: number }): string =>
    `0x${start.toString(16)}-0x${end.toString(16)}`;
  return [
    `    ${path}, build-id ${buildId}`,
    `    new code at ${range(executable)}${writable === undefined ? "" : `, new data at ${range(writable)}`}`,
    ...funcs.flatMap(({ name, sympos, source, why }) => [
      `    ${name}${sympos === 0 ? "" : `, number ${sympos} of that name`}: ${source}: ${why}`,
    ]),
  ];
}

function stateOf({ enabled, transition, forced, replacedBy }: PatchStatus): string {
  const settled = enabled ? "enabled" : replacedBy === undefined ? "disabled" : `replaced by ${replacedBy}`;
  return `${transition === undefined ? settled : `${transition}: some threads have not switched`}${forced ? ", forced" : ""}`;
}

/** Whether a process has that patch. */
export function hasPatch({ core }: PatchedState, name: string): boolean {
  return core.patches.some((patch) => patch.name === name);
}
