import type { Registers } from "../../arch/registers.ts";
import type { StopCost } from "../../core/machine.ts";
import { SutureError } from "../../lib/error.ts";
import { alarmClock } from "../os/alarm-clock.ts";
import { ReadableMemory } from "../os/memory.ts";
import { isDispatching } from "../os/ptrace.ts";
import { becomeNormal, becomeRealTime } from "../os/scheduling.ts";
import type { Tracee } from "./tracee.ts";
import { Tracees } from "./tracees.ts";

/** A thread that does not stop within this time sleeps where nothing can wake it, and all others stand still for it. */
export const STOP_PATIENCE_MS = 50;

/**
 * All threads of a running process, which can be stopped and looked at, and to which nothing
 * else can be done: `TracedProcess` can. Belongs to the thread that made it.
 *
 * Signals that arrive for them are passed on, by `attend`, which has to be called
 * often; a stop by job control is kept. Should we be killed, the kernel lets all go.
 */
export class ObservedThreads<Memory extends ReadableMemory = ReadableMemory> implements Disposable {
  readonly pid: number;
  readonly memory: Memory;
  protected readonly tracees: Tracees;
  #isReleased = false;

  /** Throws `TARGET_GONE`, `PTRACE_DENIED`, `ALREADY_TRACED`, `PROC_UNREADABLE`; then nothing is traced. */
  protected constructor(pid: number, openMemory: (pid: number) => Memory) {
    this.pid = pid;
    this.tracees = new Tracees(pid);
    try {
      // Not before: an exec would leave us with the memory of the program that was.
      this.memory = openMemory(pid);
    } catch (error) {
      this.tracees[Symbol.dispose]();
      throw error;
    }
  }

  /** Throws `TARGET_GONE`, `PTRACE_DENIED`, `ALREADY_TRACED`, `PROC_UNREADABLE`; then nothing is traced. */
  static of(pid: number): ObservedThreads {
    return new ObservedThreads(pid, () => new ReadableMemory(pid));
  }

  /** Lets every thread go; what is armed in them is taken out. */
  [Symbol.dispose](): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    becomeRealTime();
    this.tracees[Symbol.dispose]();
    becomeNormal();
    this.memory[Symbol.dispose]();
  }

  /** Why the process is no more, or is another program now. */
  get gone(): string | undefined {
    return this.tracees.gone;
  }

  get tasks(): number[] {
    const tasks: number[] = [];
    for (const { tid, state } of this.tracees.all.values()) if (state.kind !== "ended") tasks.push(tid);
    return tasks;
  }

  /**
   * Stops every thread, also those that are born meanwhile, and runs the body; they
   * go on whatever the body does, those that stand at their stop point excepted.
   *
   * Throws `TARGET_GONE`; `STOP_TIMEOUT` where a thread sleeps in the kernel and cannot be woken.
   */
  stopped<T>(body: () => T): { readonly value: T; readonly cost: StopCost } {
    this.alive();
    alarmClock.start();
    const realTime = becomeRealTime();
    const start = performance.now();
    let end = start;
    let tasks = 0;
    let value: T;
    try {
      this.tracees.stopAll(STOP_PATIENCE_MS);
      this.alive();
      tasks = this.tracees.all.size;
      value = body();
    } finally {
      this.tracees.resumeAll();
      end = performance.now();
      if (realTime) becomeNormal();
      alarmClock.stop();
    }
    return { value, cost: { tasks, stoppedUs: (end - start) * 1000 } };
  }

  /**
   * Whether a thread that stands still has its system calls sent to the program as signals
   * (syscall user dispatch), as Wine does: ours would be among them. Kernels before 6.4 do not tell.
   */
  isDispatching(task: number): boolean {
    return isDispatching(task);
  }

  /** Of a thread that stands still; valid until it runs. */
  registers(task: number): Registers {
    const registers = this.standing(task).registers();
    if (registers === undefined) throw this.vanished(task);
    return registers;
  }

  /** Helps threads on that met a signal or job control, and tells nothing. */
  attend(): void {
    if (this.gone === undefined) this.tracees.collect();
  }

  protected standing(task: number): Tracee {
    const tracee = this.tracees.all.get(task);
    if (tracee === undefined) throw this.vanished(task);
    if (tracee.state.kind !== "stopped") throw new Error(`thread ${task} is not stopped`);
    return tracee;
  }

  protected alive(): void {
    if (this.gone !== undefined) throw this.vanished(this.pid);
  }

  protected vanished(task: number): SutureError {
    const what = this.gone === undefined ? "a thread of the process has ended" : `the process is no more: ${this.gone}`;
    const where = `pid ${this.pid}, thread ${task}`;
    return new SutureError("TARGET_GONE", what, { where, hint: "nothing is left to be done there" });
  }
}
