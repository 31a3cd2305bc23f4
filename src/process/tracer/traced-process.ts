import type { Registers } from "../../arch/registers.ts";
import type { StopCost } from "../../core/machine.ts";
import { alarmClock } from "../os/alarm-clock.ts";
import { ProcessMemory } from "../os/memory.ts";
import { type StopPoint, setBreakpoint } from "../os/perf-event.ts";
import { becomeNormal, becomeRealTime } from "../os/scheduling.ts";
import { BorrowedThread } from "./borrowed-thread.ts";
import type { Gadgets } from "./gadgets.ts";
import { ObservedThreads, STOP_PATIENCE_MS } from "./observed-threads.ts";
import { Uprobes } from "./uprobes.ts";

/** What became of a thread while it ran. */
export type TraceEvent =
  /** It stands still at its stop point. */
  | { readonly kind: "left"; readonly task: number }
  | { readonly kind: "died"; readonly task: number }
  | { readonly kind: "gone"; readonly why: string };

/**
 * All threads of a running process, under our control by ptrace(2): they run
 * until they are stopped here, and can be changed and made to work for us then.
 *
 * Signals that arrive for them are passed on, by `poll`, which has to be called often.
 */
export class TracedProcess extends ObservedThreads<ProcessMemory> {
  readonly #uprobes: Uprobes;

  /** Throws `TARGET_GONE`, `PTRACE_DENIED`, `ALREADY_TRACED`, `PROC_UNREADABLE`; then nothing is traced. */
  constructor(pid: number) {
    super(pid, () => new ProcessMemory(pid));
    this.#uprobes = new Uprobes(pid, this.memory);
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]();
    this.#uprobes[Symbol.dispose]();
  }

  /** Whether a task is a thread of the process, and not of another one with its memory. */
  isThread(task: number): boolean {
    return this.tracees.all.get(task)?.pid === this.pid;
  }

  /** As `stopped` for one thread, which goes on in any case. undefined where it is no more. */
  stoppedTask<T>(task: number, body: () => T): { readonly value: T; readonly cost: StopCost } | undefined {
    this.alive();
    const tracee = this.tracees.all.get(task);
    if (tracee === undefined) return undefined;
    alarmClock.start();
    const realTime = becomeRealTime();
    const start = performance.now();
    let end = start;
    let value: T;
    try {
      if (!this.tracees.stop(tracee, STOP_PATIENCE_MS)) return undefined;
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
    const tracee = this.tracees.all.get(task);
    if (tracee !== undefined) this.tracees.ask(tracee);
  }

  /** Lets those go on that were asked to stop and are not needed now. */
  letAskedGo(): void {
    this.tracees.letAskedGo();
  }

  /** Lets a thread that stands still run on. */
  resume(task: number): void {
    const tracee = this.tracees.all.get(task);
    if (tracee?.state.kind === "stopped") tracee.letGo();
  }

  /**
   * Takes a thread that stands still, for something to be done in it (see
   * `BorrowedThread`). Throws `TARGET_GONE`, or `SECCOMP` where the program
   * has filters for its system calls and we may not suspend them.
   */
  borrow(task: number, gadgets: Gadgets): BorrowedThread {
    return new BorrowedThread(this.standing(task), this.tracees, this.memory, gadgets);
  }

  /** What the function has returned that the thread was made to call; undefined until it has. Told once. */
  returned(task: number): number | undefined {
    return this.tracees.all.get(task)?.takeReturned();
  }

  setRegisters(task: number, registers: Registers): void {
    if (!this.standing(task).setRegisters(registers)) throw this.vanished(task);
  }

  /**
   * Arms a stop point for one thread that stands still, in place of the one it has; false where that cannot be.
   *
   * @param others where it is to stop as well, if that can be
   */
  watch(task: number, address: number, ...others: readonly number[]): boolean {
    const tracee = this.standing(task);
    tracee.unwatch();
    const set = (at: number): StopPoint | undefined => setBreakpoint(task, at) ?? this.#uprobes.set(task, at);
    const first = set(address);
    const stopPoint = first && others.reduce((points, at) => both(points, set(at)), first);
    tracee.watch(stopPoint);
    return stopPoint !== undefined;
  }

  /** By how many bytes the stack pointer of a thread that stands at its stop point may be lower than it was there. */
  mostPushed(task: number): number {
    return this.tracees.all.get(task)?.mostPushed ?? 0;
  }

  /** Takes the stop point away; what it has already caused is not told any more, and held no longer in the next stop. */
  unwatch(task: number): void {
    this.tracees.all.get(task)?.unwatch();
  }

  /** In a stop: what stop points have caused, and the program has not got yet, it will never get. */
  forgetTraps(): void {
    this.tracees.forgetTraps();
  }

  /** How many signals were passed on so far. */
  get signals(): number {
    return this.tracees.signals;
  }

  /** What has happened, the oldest first; undefined where nothing has. Threads that met a signal or job control are helped on. */
  poll(): TraceEvent | undefined {
    const tracees = this.tracees;
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
