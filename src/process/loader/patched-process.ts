/**
 * A running process as a system that can be patched: what the core drives
 * (`Machine`), and what the loading of livepatches needs besides. Implemented by
 * `ProcessMachine` (process-machine.ts).
 *
 * Everything durable lies in the process itself, in its control mapping: hooks,
 * the core's record, and the target's own part: what it remembers of the livepatches that it has loaded.
 */
import type { CodeRange, Machine, Site, TaskId } from "../../core/machine.ts";
import type { Refusal } from "../../patch/refusal.ts";
import type { Protection } from "../hooks/mapper.ts";
import type { Json } from "../store/json.ts";

/** Memory of the process, as far as one has to know it to put something beside it. */
export interface Mapping extends CodeRange {
  readonly protection: Protection;
}

/** What the verbs need of a process: all of it may throw `TARGET_GONE`. */
export interface PatchedProcess extends Machine, Disposable {
  readonly pid: number;

  /** Whether the process has a control mapping, so: whether something is, or was about to be, loaded. */
  readonly hasControl: boolean;

  /** The target's own part of the record; undefined where there is none yet. */
  targetPart(): Json | undefined;

  /**
   * Puts the target's own part into the record, as a whole or not at all, without
   * stopping anything; makes the control mapping if there is none. Save what will
   * be mapped before it is mapped, and what was unmapped after: then nothing can leak.
   */
  saveTargetPart(part: Json): void;

  /**
   * The target's own part that goes in with the next `commit` of the core, at the same
   * instant as its hooks and record.
   */
  targetPartWithNextCommit(part: Json): void;

  /**
   * Whether this function can be hooked: undefined, or why not (`FUNCTION_TOO_SHORT`,
   * `ENTRY_NOT_DISPLACEABLE`, `ENTRY_ACROSS_PAGES`, `NO_ROOM_IN_REACH`). Nothing is changed.
   *
   * @param paddingEnd how far the bytes behind the function are proved to be no
   * one's (start of the next function by the call-frame information); they have to
   * be padding too. Default: the function's end.
   */
  examineSite(site: Site, paddingEnd?: number): Refusal | undefined;

  /** Of a task that stands still: whether system calls that it makes for us would be sent to the program instead. */
  isDispatching(task: TaskId): boolean;

  /** Whether the function has had a hook of ours, so that what lies at its entry is ours. */
  isHooked(site: Site): boolean;

  /**
   * Makes ready what can be made ready before the stop: room, trampolines. Throws what `examineSite` would refuse.
   *
   * @param taken room for something else, which is not mapped yet
   */
  prepareSites(
    sites: readonly { readonly site: Site; readonly paddingEnd?: number | undefined }[],
    taken?: readonly CodeRange[],
  ): void;

  /** All that the body maps is mapped by one thread of the process, which stands still meanwhile: so many microseconds. */
  together(body: () => void): { readonly task: TaskId; readonly stoppedUs: number };

  /**
   * Free addresses (nothing is mapped yet) of `size` bytes, whole pages, from all
   * of whose bytes every byte of `near` is within ±2 GiB, and the other way round.
   * undefined where there is none.
   */
  room(near: CodeRange, size: number): CodeRange | undefined;

  /**
   * Maps anonymous private memory just there (MAP_FIXED_NOREPLACE); false where something else
   * is there by now. Throws `TARGET_OUT_OF_MEMORY`, `TARGET_GONE`.
   */
  map(mapping: Mapping): boolean;

  unmap(range: CodeRange): void;

  /** Memory of the process, whatever its protection. Throws `TARGET_GONE`, or `MEMORY_UNREADABLE` for what is not mapped. */
  read(address: number, size: number): Buffer;
  write(address: number, bytes: Uint8Array): void;

  /** What the unwinder has to know of the new code: call once it is mapped, and after attaching to a process that has some. */
  registerCode(code: NewCode): void;
  forgetCode(range: CodeRange): void;

  /**
   * Has a thread call a function without arguments, at once: one that is in none of these
   * ranges by its stack, which can be told. false where there is none for so many milliseconds, or the function waits.
   */
  callNow(entry: number, outside: readonly CodeRange[], patience: number): boolean;

  /**
   * Whether some task's stack refers to an address in these ranges (code about
   * to be unmapped): the tasks that do, and those whose stack cannot be told. All
   * tasks are stopped for it.
   */
  tasksIn(ranges: readonly CodeRange[]): readonly { readonly task: TaskId; readonly why: string }[];

  /**
   * Takes the stubs, the trampolines and the control mapping out of the process;
   * undefined, or why it cannot be now: a task stands in one of them. To be called
   * where no hook is left and nothing has to be remembered.
   */
  dropControl(): { readonly task: TaskId; readonly why: string } | undefined;
}

/** Code of a patch in the process, with its call-frame information as it lies there (relocated). */
export interface NewCode {
  readonly range: CodeRange;
  /** The `.eh_frame` section with its address in the process. */
  readonly frames: { readonly address: number; readonly bytes: Uint8Array } | undefined;
  /** For reasons: what a frame in here is called. */
  readonly name: string;
}
