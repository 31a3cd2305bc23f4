/** Has some thread of a traced process do something for us: a system call, or a function of a patch. */
import { setTimeout } from "node:timers/promises";
import type { StopCost } from "../../core/machine.ts";
import { Unstoppable } from "../../core/unstoppable.ts";
import { SutureError } from "../../lib/error.ts";
import type { Mapping } from "../os/mappings.ts";
import { nativeHook } from "../os/native.ts";
import type { BorrowedThread } from "../tracer/borrowed-thread.ts";
import { CALL_UNKNOWN } from "../tracer/find-call.ts";
import { findGadgets, type Gadgets } from "../tracer/gadgets.ts";
import type { TracedProcess } from "../tracer/traced-process.ts";
import { dispatched, SYSCALL_DISPATCH } from "./dispatched-calls.ts";

const PAUSE_MS = 1;
/** A function that takes longer waits for something. */
const CALL_MS = 2000;

/** Which thread was borrowed, and for how long it stood still for that, microseconds. */
export interface BorrowingCost {
  readonly task: number;
  readonly stoppedUs: number;
}

/** A thread that is borrowed finds back by itself, and what it was in the middle of goes on as if nothing had been. */
export class BorrowedCalls {
  readonly #traced: TracedProcess;
  readonly #mappings: () => readonly Mapping[];
  #gadgets: Gadgets | undefined;
  /** That which makes all system calls for now. */
  #thread: BorrowedThread | undefined;
  /** Threads that stand still anyway. */
  #standing: readonly number[] = [];

  constructor(traced: TracedProcess, mappings: () => readonly Mapping[]) {
    this.#traced = traced;
    this.#mappings = mappings;
  }

  /** Negative error numbers, as the kernel gives them. Throws `TARGET_GONE`, `NO_SYSTEM_CALL`. */
  systemCall(number: number, args: readonly number[]): number {
    if (this.#thread !== undefined) return this.#thread.systemCall(number, args);
    return this.#withThread((task) => this.#borrowing(task, (thread) => thread.systemCall(number, args))).value;
  }

  /** All system calls until the body ends are made by one thread. Throws what the body throws, `TARGET_GONE`, `NO_SYSTEM_CALL`. */
  together(body: () => void): BorrowingCost {
    const { task, cost } = this.#withThread((task) => this.#borrowing(task, body));
    return { task, stoppedUs: cost.stoppedUs };
  }

  #borrowing<T>(task: number, body: (thread: BorrowedThread) => T): T {
    const thread = this.#traced.borrow(task, this.#gadgetsOf());
    this.#thread = thread;
    try {
      return body(thread);
    } finally {
      this.#thread = undefined;
      thread.giveBack();
    }
  }

  /**
   * Calls a function without arguments and waits until it has returned; the thread
   * goes on afterwards from where it was, whatever becomes of us.
   *
   * @param handler where our handler for watched tasks lies, by which it returns
   * @returns what it returns, 32 bits, signed
   */
  async call(entry: number, handler: number): Promise<number> {
    const { task: called } = this.#withThread((task) => {
      this.#traced.borrow(task, this.#gadgetsOf()).enter(entry, nativeHook().trapHandler.callReturn(handler));
    });
    for (;;) {
      const event = this.#traced.poll();
      const value = this.#traced.returned(called);
      if (value !== undefined) return value;
      if (event === undefined) await setTimeout(PAUSE_MS);
      else if (event.kind === "gone") throw new SutureError("TARGET_GONE", `the process is no more: ${event.why}`);
      else if (event.kind === "died" && event.task === called) throw notPossible(called);
    }
  }

  /**
   * The same at once, in a thread that is free for it.
   *
   * @param patience milliseconds for which a free one is looked for
   * @param isFree of a thread that stands still: whether it holds nothing that the function needs
   * @returns false where none is free, or the function has not returned after `CALL_MS`
   */
  callNow(entry: number, handler: number, patience: number, isFree: (task: number) => boolean): boolean {
    const end = performance.now() + patience;
    for (;;) {
      const called = this.#entered(entry, handler, isFree);
      const returned = performance.now() + CALL_MS;
      while (called !== undefined && performance.now() < returned) {
        const event = this.#traced.poll();
        if (this.#traced.returned(called) !== undefined) return true;
        if (event?.kind === "gone") throw new SutureError("TARGET_GONE", `the process is no more: ${event.why}`);
        if (event === undefined) pause();
      }
      if (called !== undefined || performance.now() >= end) return false;
      pause();
    }
  }

  #entered(entry: number, handler: number, isFree: (task: number) => boolean): number | undefined {
    this.#gadgetsOf();
    for (const task of this.#traced.tasks) {
      const done = this.#traced.stoppedTask(task, () =>
        this.#whileStanding(task, () => {
          if (!isFree(task)) return false;
          return isBorrowed(() => {
            this.#traced.borrow(task, this.#gadgetsOf()).enter(entry, nativeHook().trapHandler.callReturn(handler));
          });
        }),
      );
      if (done?.value === true) return task;
    }
    return undefined;
  }

  /** Places to put it at are looked for before it stands still. */
  #withThread<T>(body: (task: number) => T): { readonly task: number; readonly value: T; readonly cost: StopCost } {
    let problem: SutureError | undefined;
    for (const task of this.#standing) {
      try {
        return { task, value: body(task), cost: { tasks: 0, stoppedUs: 0 } };
      } catch (error) {
        if (!isOfOneThread(error)) throw error;
        problem ??= error;
      }
    }
    if (problem !== undefined) throw problem;
    this.#gadgetsOf();
    for (const task of this.#traced.tasks) {
      try {
        const done = this.#traced.stoppedTask(task, () => {
          if (this.#traced.isDispatching(task)) throw dispatched(this.#traced.pid);
          return this.#whileStanding(task, body);
        });
        if (done !== undefined) return { task, ...done };
      } catch (error) {
        if (!isOfOneThread(error) && !(error instanceof Unstoppable)) throw error;
        problem = error;
      }
    }
    if (problem !== undefined) throw problem;
    throw new SutureError("TARGET_GONE", "the process has no thread left", { where: `pid ${this.#traced.pid}` });
  }

  /** What the body asks for itself is done by the same thread: another stop of it would end with its running on. */
  #whileStanding<T>(task: number, body: (task: number) => T): T {
    return this.byStanding([task], () => body(task));
  }

  /** What the body asks for is done by one of these threads, which stand still meanwhile; where there is none, by any. */
  byStanding<T>(tasks: readonly number[], body: () => T): T {
    this.#standing = tasks;
    try {
      return body();
    } finally {
      this.#standing = [];
    }
  }

  #gadgetsOf(): Gadgets {
    this.#gadgets ??= findGadgets(this.#mappings(), this.#traced.memory);
    if (this.#gadgets !== undefined) return this.#gadgets;
    throw new SutureError("NO_SYSTEM_CALL", "the process has no system call instruction that we could use", {
      where: `pid ${this.#traced.pid}`,
      hint: "it cannot be patched while it runs",
    });
  }
}

/** Whether it is why one thread cannot make a call, where another one may. */
function isOfOneThread(error: unknown): error is SutureError {
  return error instanceof SutureError && (error.code === SYSCALL_DISPATCH || error.code === CALL_UNKNOWN);
}

/** Whether a thread could be borrowed, which can be in any but that it waits in, nobody knows where. */
function isBorrowed(borrow: () => void): boolean {
  try {
    borrow();
    return true;
  } catch (error) {
    if (isOfOneThread(error)) return false;
    throw error;
  }
}

function notPossible(task: number): SutureError {
  return new SutureError("CALL_NOT_POSSIBLE", "no thread of the process can call a function for us", {
    where: `thread ${task}`,
    hint: "leave out the callbacks of the livepatch",
  });
}

function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
}
