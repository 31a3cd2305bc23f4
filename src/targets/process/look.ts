/** What is loaded in a process, looked up without stopping it: by its control mapping. */
import { type CoreRecord, decodeRecord, EMPTY_RECORD } from "../../core/record.ts";
import { SutureError } from "../../lib/error.ts";
import { allProcesses, ProcessView } from "../../process/maps/process-view.ts";
import { readMappings } from "../../process/os/mappings.ts";
import { CONTROL_SIZE } from "../../process/store/control-layout.ts";
import { findControl } from "../../process/store/find-control.ts";
import { type LoadRecord, NOTHING_LOADED, readLoadRecord } from "../../process/store/load-record.ts";
import { type NewerRecord, newerError, newerRecord } from "./newer-record.ts";

/**
 * What lies in one process's control mapping. Either part may be empty: a process whose
 * last patch is gone may keep memory of it.
 */
export interface PatchedState {
  readonly pid: number;
  /** The program's name, as /proc has it. */
  readonly name: string;
  readonly core: CoreRecord;
  readonly loaded: LoadRecord;
}

/** A process in which a newer suture has loaded livepatches, in a format that this one does not know. */
export interface NewerState {
  readonly pid: number;
  readonly name: string;
  readonly newer: NewerRecord;
}

/** All processes that can be looked into and have something of suture in them. */
export interface Overview {
  readonly processes: readonly PatchedState[];
  readonly newer: readonly NewerState[];
  /** Processes that have something that cannot be read, and why. */
  readonly damaged: readonly { readonly pid: number; readonly error: SutureError }[];
  /** How many processes this user may not look into. */
  readonly hidden: number;
}

/** All processes that have, or may have, a livepatch. */
export function patchedProcesses(): Overview {
  const processes: PatchedState[] = [];
  const newer: NewerState[] = [];
  const damaged: { pid: number; error: SutureError }[] = [];
  let hidden = 0;
  for (const pid of allProcesses()) {
    try {
      const state = stateIn(pid);
      if (state === undefined) continue;
      if ("newer" in state) newer.push(state);
      else processes.push(state);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "";
      if (["EACCES", "EPERM", "PTRACE_DENIED"].includes(code)) hidden += 1;
      else if (["ENOENT", "ESRCH", "TARGET_GONE"].includes(code)) continue;
      else if (error instanceof SutureError) damaged.push({ pid, error });
      else throw error;
    }
  }
  return { processes, newer, damaged, hidden };
}

/**
 * undefined for a process without a control mapping. Throws what `stateIn` throws,
 * and `NEWER_FORMAT` where a newer suture has loaded what is there.
 */
export function patchedState(pid: number): PatchedState | undefined {
  const state = stateIn(pid);
  if (state === undefined || !("newer" in state)) return state;
  throw newerError(state.newer, `${state.name} (${pid})`);
}

/**
 * undefined for a process without a control mapping. Throws what `ProcessView`
 * throws, `CONTROL_CORRUPT`, `CORE_RECORD_CORRUPT` and `RECORD_UNREADABLE`.
 */
export function stateIn(pid: number): PatchedState | NewerState | undefined {
  for (;;) {
    // Most processes have none: then nothing but this list is read.
    const control = controlOf(pid);
    if (control === undefined) return undefined;
    try {
      return readState(pid);
    } catch (error) {
      // One that has executed a program meanwhile has another memory by now, and nothing of what it had is damaged.
      if (controlOf(pid) === control) throw error;
    }
  }
}

function controlOf(pid: number): number | undefined {
  return readMappings(pid).find(({ start, end }) => end - start === CONTROL_SIZE)?.start;
}

function readState(pid: number): PatchedState | NewerState | undefined {
  using view = new ProcessView(pid);
  const { name } = view.status;
  const newer = newerRecord(view);
  if (newer !== undefined) return { pid, name, newer };
  const found = findControl(view.mappings, view);
  if (found?.record === undefined) return undefined;
  const { core, extra } = found.record;
  return {
    pid,
    name,
    core: core === undefined ? EMPTY_RECORD : decodeRecord(core),
    loaded: extra === undefined ? NOTHING_LOADED : readLoadRecord(extra, `${name} (${pid})`),
  };
}
