/** Tasks that are waited for: each is caught when it has left the frame that keeps it behind. */
import type { Frame, TaskId } from "../../core/machine.ts";
import { nativeUnwind, nativeWords } from "../os/native.ts";
import { callSite } from "../stack/call-site.ts";
import type { TracedProcess } from "../tracer/traced-process.ts";
import type { WatchHandler } from "./watch-handler.ts";

const WORD = 8;

/** Which frame each watched task is to leave; one frame a task. */
export class WatchedTasks {
  readonly #traced: TracedProcess;
  readonly #handler: WatchHandler;
  readonly #frames = new Map<TaskId, Frame>();

  constructor(traced: TracedProcess, handler: WatchHandler) {
    this.#traced = traced;
    this.#handler = handler;
  }

  get isEmpty(): boolean {
    return this.#frames.size === 0;
  }

  /** As `Machine.watch` has it. @param entries of functions that have hooks */
  watch(task: TaskId, frame: Frame, alsoCalls: boolean, entries: ReadonlySet<number>): boolean {
    // A task of another process has handlers for signals of its own.
    if (!this.#traced.isThread(task) || !this.#handler.set(task)) return false;
    const { memory } = this.#traced;
    const address = nativeWords().size(memory.read(frame.cfa + nativeUnwind().entry.returnOffset, WORD), 0);
    const read = (at: number, size: number): Buffer | undefined => memory.tryRead(at, size);
    const call = alsoCalls ? callSite(address, entries, read) : undefined;
    if (!this.#traced.watch(task, address, ...(call === undefined ? [] : [call]))) return false;
    this.#frames.set(task, frame);
    return true;
  }

  unwatch(task: TaskId): void {
    this.#frames.delete(task);
    this.#traced.unwatch(task);
  }

  forget(task: TaskId): void {
    this.#frames.delete(task);
  }

  /** Whether it was the watched frame that was left, and not a deeper one of a recursion by the same place. */
  hasLeft(task: TaskId): boolean {
    const frame = this.#frames.get(task);
    if (frame === undefined) return false;
    return this.#traced.registers(task).sp >= frame.cfa - this.#traced.mostPushed(task);
  }
}
