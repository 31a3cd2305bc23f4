import type { Registers } from "../../arch/registers.ts";
import type { StopCost } from "../../core/machine.ts";
import { SutureError } from "../../lib/error.ts";
import { alarmClock } from "../os/alarm-clock.ts";
import { ProcessMemory } from "../os/memory.ts";
import { type StopPoint, setBreakpoint } from "../os/perf-event.ts";
import { isDispatching } from "../os/ptrace.ts";
import { becomeNormal, becomeRealTime } from "../os/scheduling.ts";
import { BorrowedThread } from "./borrowed-thread.ts";
import type { Gadgets } from "./gadgets.ts";
import type { Tracee } from "./tracee.ts";
import { Tracees } from "./tracees.ts";
import { Uprobes } from "./uprobes.ts";

/** A thread that does not stop within this time sleeps where nothing can wake it, and all others stand still for it. */
const STOP_PATIENCE_MS = 50;

/** What became of a thread while it ran. */
export type TraceEvent =
  /** It stands still at its stop point. */
  | { readonly kind: "left"; readonly task: number }
  | { readonly kind: "died"; readonly task: number }
  | { readonly kind: "gone"; readonly why: string };

/**
 * All threads of a running process, under our control by ptrace(2): they run
 * until they are stopped here. Belongs to the thread that made it.
 *
 * Signals that arrive for them are passed on, by `poll`, which has to be called
 * often; a stop by job control is kept. Should we be killed, the kernel lets all go.
 */
export class TracedProcess implements Disposable {
  readonly pid: number;
  readonly memory: ProcessMemory;
  readonly #tracees: Tracees;
  readonly #uprobes: Uprobes;
  #isReleased = false;

  /** Throws `TARGET_GONE`, `PTRACE_DENIED`, `ALREADY_TRACED`, `PROC_UNREADABLE`; then nothing is traced. */
  constructor(pid: number) {
    this.pid = pid;
    this.#tracees = new Tracees(pid);
    try {
      // Not before: an exec would leave us with the memory of the program that was.
      this.memory = new ProcessMemory(pid);
    } catch (error) {
      this.#tracees[Symbol.dispose]();
      throw error;
    }
    this.#uprobes = new Uprobes(pid, this.memory);
  }

  /** Lets every thread go; what is armed in them is taken out. */
  [Symbol.dispose](): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    becomeRealTime();
    this.#tracees[Symbol.dispose]();
    becomeNormal();
    this.#uprobes[Symbol.dispose]();
    this.memory[Symbol.dispose]();
  }

  /** Why the process is no more, or is another program now. */
  get gone(): string | undefined {
    return this.#tracees.gone;
  }

  get tasks(): number[] {
    const tasks: number[] = [];
    for (const { tid, state } of this.#tracees.all.values()) if (state.kind !== "ended") tasks.push(tid);
    return tasks;
  }

  /** Whether a task is a thread of the process, and not of another one with its memory. */
  isThread(task: number): boolean {
    return this.#tracees.all.get(task)?.pid === this.pid;
  }

  /**
   * Stops every thread, also those that are born meanwhile, and runs the body; they
   * go on whatever the body does, those that stand at their stop point excepted.
   *
   * Throws `TARGET_GONE`; `STOP_TIMEOUT` where a thread sleeps in the kernel and cannot be woken.
   */
  stopped<T>(body: () => T): { readonly value: T; readonly cost: StopCost } {
    this.#alive();
    alarmClock.start();
    const realTime = becomeRealTime();
    const start = performance.now();
    let end = start;
    let tasks = 0;
    let value: T;
    try {
      this.#tracees.stopAll(STOP_PATIENCE_MS);
      this.#alive();
      tasks = this.#tracees.all.size;
      value = body();
    } finally {
      this.#tracees.resumeAll();
      end = performance.now();
      if (realTime) becomeNormal();
      alarmClock.stop();
    }
    return { value, cost: { tasks, stoppedUs: (end - start) * 1000 } };
  }

  /** The same for one thread, which goes on in any case. undefined where it is no more. */
  stoppedTask<T>(task: number, body: () => T): { readonly value: T; readonly cost: StopCost } | undefined {
    this.#alive();
    const tracee = this.#tracees.all.get(task);
    if (tracee === undefined) return undefined;
    alarmClock.start();
    const realTime = becomeRealTime();
    const start = performance.now();
    let end = start;
    let value: T;
    try {
      if (!this.#tracees.stop(tracee, STOP_PATIENCE_MS)) return undefined;
      value = body();
    } finally {
      this.resume(task);
      end = performance.now();
      if (realTime) becomeNormal();
      alarmClock.stop();
    }
    return { value, cost: { tasks: 1, stoppedUs: (end - start) * 1000 } };
  }

  /**
   * Asks a thread to stop, without waiting for it: `stoppedTask` will find it
   * standing. On a busy machine that is when it is next given a processor.
   */
  askToStop(task: number): void {
    const tracee = this.#tracees.all.get(task);
    if (tracee !== undefined) this.#tracees.ask(tracee);
  }

  /** Lets those go on that were asked to stop and are not needed now. */
  letAskedGo(): void {
    this.#tracees.letAskedGo();
  }

  /** Lets a thread that stands still run on. */
  resume(task: number): void {
    const tracee = this.#tracees.all.get(task);
    if (tracee?.state.kind === "stopped") tracee.letGo();
  }

  /**
   * Takes a thread that stands still, for something to be done in it (see
   * `BorrowedThread`). Throws `TARGET_GONE`, or `SECCOMP` where the program
   * has filters for its system calls and we may not suspend them.
   */
  borrow(task: number, gadgets: Gadgets): BorrowedThread {
    return new BorrowedThread(this.#standing(task), this.#tracees, this.memory, gadgets);
  }

  /**
   * Whether a thread that stands still has its system calls sent to the program as signals
   * (syscall user dispatch), as Wine does: ours would be among them. Kernels before 6.4 do not tell.
   */
  isDispatching(task: number): boolean {
    return isDispatching(task);
  }

  /** What the function has returned that the thread was made to call; undefined until it has. Told once. */
  returned(task: number): number | undefined {
    return this.#tracees.all.get(task)?.takeReturned();
  }

  /** Of a thread that stands still; valid until it runs. */
  registers(task: number): Registers {
    const registers = this.#standing(task).registers();
    if (registers === undefined) throw this.#vanished(task);
    return registers;
  }

  setRegisters(task: number, registers: Registers): void {
    if (!this.#standing(task).setRegisters(registers)) throw this.#vanished(task);
  }

  /**
   * Arms a stop point for one thread that stands still, in place of the one it has; false where that cannot be.
   *
   * @param others where it is to stop as well, if that can be
   */
  watch(task: number, address: number, ...others: readonly number[]): boolean {
    const tracee = this.#standing(task);
    tracee.unwatch();
    const set = (at: number): StopPoint | undefined => setBreakpoint(task, at) ?? this.#uprobes.set(task, at);
    const first = set(address);
    const stopPoint = first && others.reduce((points, at) => both(points, set(at)), first);
    tracee.watch(stopPoint);
    return stopPoint !== undefined;
  }

  /** By how many bytes the stack pointer of a thread that stands at its stop point may be lower than it was there. */
  mostPushed(task: number): number {
    return this.#tracees.all.get(task)?.mostPushed ?? 0;
  }

  /** Takes the stop point away; what it has already caused is not told any more, and held no longer in the next stop. */
  unwatch(task: number): void {
    this.#tracees.all.get(task)?.unwatch();
  }

  /** In a stop: what stop points have caused, and the program has not got yet, it will never get. */
  forgetTraps(): void {
    this.#tracees.forgetTraps();
  }

  /** How many signals were passed on so far. */
  get signals(): number {
    return this.#tracees.signals;
  }

  /** Helps threads on that met a signal or job control, as `poll` does, and tells nothing. */
  attend(): void {
    if (this.gone === undefined) this.#tracees.collect();
  }

  /** What has happened, the oldest first; undefined where nothing has. Threads that met a signal or job control are helped on. */
  poll(): TraceEvent | undefined {
    const tracees = this.#tracees;
    if (tracees.gone === undefined) tracees.collect();
    const died = tracees.takeDied();
    if (died !== undefined) {
      this.#uprobes.forget(died);
      return { kind: "died", task: died };
    }
    if (tracees.gone !== undefined) return { kind: "gone", why: tracees.gone };
    for (const tracee of tracees.all.values()) if (tracee.hearOfArrival()) return { kind: "left", task: tracee.tid };
    return undefined;
  }

  #standing(task: number): Tracee {
    const tracee = this.#tracees.all.get(task);
    if (tracee === undefined) throw this.#vanished(task);
    if (tracee.state.kind !== "stopped") throw new Error(`thread ${task} is not stopped`);
    return tracee;
  }

  #alive(): void {
    if (this.gone !== undefined) throw this.#vanished(this.pid);
  }

  #vanished(task: number): SutureError {
    const what = this.gone === undefined ? "a thread of the process has ended" : `the process is no more: ${this.gone}`;
    const where = `pid ${this.pid}, thread ${task}`;
    return new SutureError("TARGET_GONE", what, { where, hint: "nothing is left to be done there" });
  }
}

function both(one: StopPoint, other: StopPoint | undefined): StopPoint {
  if (other === undefined) return one;
  return {
    mostPushed: Math.max(one.mostPushed, other.mostPushed),
    [Symbol.dispose]: () => {
      one[Symbol.dispose]();
      other[Symbol.dispose]();
    },
  };
}
