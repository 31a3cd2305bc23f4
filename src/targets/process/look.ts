/** What is loaded in a process, looked up without stopping it: by its control mapping. */
import { type CoreRecord, decodeRecord, EMPTY_RECORD } from "../../core/record.ts";
import { SutureError } from "../../lib/error.ts";
import { allProcesses, ProcessView } from "../../process/maps/process-view.ts";
import { type Mapping, readMappings } from "../../process/os/mappings.ts";
import { CONTROL_SIZE } from "../../process/store/control-layout.ts";
import { controlIn, findSlots } from "../../process/store/find-control.ts";
import { type LoadRecord, NOTHING_LOADED, readLoadRecord } from "../../process/store/load-record.ts";
import { type NewerRecord, newerError, newerIn } from "./newer-record.ts";

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

/** What else is looked for in the mappings of every process that may be looked into; it may throw what reading one throws. */
export type SeeMappings = (pid: number, mappings: readonly Mapping[]) => void;

/** All processes that have, or may have, a livepatch. */
export function patchedProcesses(see?: SeeMappings): Overview {
  const processes: PatchedState[] = [];
  const newer: NewerState[] = [];
  const damaged: { pid: number; error: SutureError }[] = [];
  let hidden = 0;
  for (const pid of allProcesses()) {
    try {
      const mappings = readMappings(pid);
      see?.(pid, mappings);
      const state = stateIn(pid, mappings);
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
export function stateIn(
  pid: number,
  mappings: readonly Mapping[] = readMappings(pid),
): PatchedState | NewerState | undefined {
  for (let seen = mappings; ; ) {
    // Most processes have none: then nothing but this list is read.
    const control = controlStart(seen);
    if (control === undefined) return undefined;
    try {
      return readState(pid, seen);
    } catch (error) {
      // One that has executed a program meanwhile has another memory by now, and nothing of what it had is damaged.
      seen = readMappings(pid);
      if (controlStart(seen) === control) throw error;
    }
  }
}

function controlStart(mappings: readonly Mapping[]): number | undefined {
  return mappings.find(({ start, end }) => end - start === CONTROL_SIZE)?.start;
}

function readState(pid: number, mappings: readonly Mapping[]): PatchedState | NewerState | undefined {
  using view = new ProcessView(pid, undefined, mappings);
  const { name } = view.status;
  const slots = findSlots(mappings, view);
  if (slots === undefined) return undefined;
  const newer = newerIn(slots);
  if (newer !== undefined) return { pid, name, newer };
  const found = controlIn(slots);
  if (found.record === undefined) return undefined;
  const { core, extra } = found.record;
  return {
    pid,
    name,
    core: core === undefined ? EMPTY_RECORD : decodeRecord(core),
    loaded: extra === undefined ? NOTHING_LOADED : readLoadRecord(extra, `${name} (${pid})`),
  };
}
