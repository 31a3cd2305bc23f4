/**
 * The threads of a process as ptrace(2) shows them: which are stopped, and what has
 * happened to them. Signals reach the program, and a process that job control has
 * stopped stays so for all others.
 *
 * A thread counts as stopped only in the stop that PTRACE_INTERRUPT asks for. One that
 * is found in another is first let into that one: it executes nothing in between, and
 * no signal is left to be remembered.
 */
import { SutureError } from "../../lib/error.ts";
import { LINUX } from "../os/linux.ts";
import type { Os } from "../os/os.ts";
import { SIGTRAP } from "../os/signals.ts";
import type { Found } from "../os/wait.ts";
import { INTERRUPTED, type Nothing, type WaitStatus } from "../os/wait-status.ts";
import { partLater, partNow } from "./parting.ts";
import { ThreadFinder } from "./thread-finder.ts";
import type { Tracee } from "./tracee.ts";
import { unstoppable } from "./unstoppable.ts";
import { waitOn } from "./wait-on.ts";

/** How much longer than others a thread may take that is ready to run and has no processor. */
const BUSY_MS = 10_000;
/** What is taken before other things have their turn. */
const MOST_AT_ONCE = 32;
const MOST_OF_ONE = 4;
/** How many times as long as a look at all threads took the next one is away: those that are to stop need the processors. */
const SWEEP_PAUSE = 8;
/** How long a thread that does not stop is waited for when the tracing ends. */
const PARTING_MS = 100;

/** Traces from its construction until it is disposed of. All calls are from one thread, which is the tracer. */
export class Tracees implements Disposable {
  readonly pid: number;
  readonly #os: Os;
  /** By id. One that is no more is not in it. */
  readonly #all = new Map<number, Tracee>();
  /** Threads that have ended, to be told. */
  readonly #died: number[] = [];
  #gone: string | undefined;
  #signals = 0;
  readonly #finder: ThreadFinder;
  /** When the others may be looked at again while one is waited for. */
  #nextSweep = 0;

  /** Throws `TARGET_GONE`, `PTRACE_DENIED`, `ALREADY_TRACED`; nothing is traced then. */
  constructor(pid: number, os: Os = LINUX) {
    this.pid = pid;
    this.#os = os;
    this.#finder = new ThreadFinder(pid, this.#all, os);
    try {
      // Those that are born meanwhile are met in the first stop: here no one keeps them from having others.
      this.#finder.findThreads();
      this.#finder.prepare();
      if (this.#all.size === 0) {
        throw new SutureError("TARGET_GONE", "the process has ended", { where: `pid ${pid}`, hint: "look at the pid" });
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
    // Threads of a process that SIGSTOP has stopped report that when they are seized.
    this.collect();
  }

  /** Lets all threads go and ends the tracing. What cannot be let go now is later, or its end is waited for. */
  [Symbol.dispose](): void {
    this.#os.alarmClock.start();
    const deadline = this.#os.now() + PARTING_MS;
    for (const tracee of this.#all.values()) if (tracee.state.kind === "running") tracee.ask();
    for (const tracee of [...this.#all.values()]) {
      const hasSettled = this.#settle(tracee, deadline);
      if (this.#all.has(tracee.tid) && !(hasSettled && this.#detach(tracee))) partLater(tracee, this.#os);
    }
    this.#os.alarmClock.stop();
    this.#all.clear();
    this.#finder[Symbol.dispose]();
  }

  /** By id. */
  get all(): ReadonlyMap<number, Tracee> {
    return this.#all;
  }

  /** Why there is nothing to trace any more. */
  get gone(): string | undefined {
    return this.#gone;
  }

  /** How many signals were passed on. */
  get signals(): number {
    return this.#signals;
  }

  /** A thread that has ended, told once; undefined where there is none. */
  takeDied(): number | undefined {
    return this.#died.shift();
  }

  /**
   * Stops every thread, those too that are born meanwhile. Throws `STOP_TIMEOUT`
   * where one has not stopped after `patience` milliseconds.
   */
  stopAll(patience: number): void {
    const deadline = this.#os.now() + patience;
    // Asked at once: one that runs on may end and leave another in its place, without end.
    const ask = (tracee: Tracee): void => tracee.ask();
    do {
      for (const tracee of this.#all.values()) if (tracee.state.kind === "running") tracee.ask();
      for (const tracee of this.#all.values()) {
        if (tracee.state.kind === "asked" && !this.#settle(tracee, deadline)) throw unstoppable(tracee, this.#os);
      }
    } while (this.#gone === undefined && (this.#finder.findThreads(ask) || this.#finder.findSharers(ask)));
  }

  /** Lets all threads go but those that stand at a stop point. */
  resumeAll(): void {
    for (const tracee of this.#all.values()) if (tracee.state.kind === "stopped" && !tracee.isHeld) tracee.letGo();
  }

  /** Whether it stands still now; false where it has ended. Throws `STOP_TIMEOUT`. */
  stop(tracee: Tracee, patience: number): boolean {
    if (tracee.state.kind === "running") tracee.ask();
    if (!this.#settle(tracee, this.#os.now() + patience)) throw unstoppable(tracee, this.#os);
    return isStopped(tracee);
  }

  /** Asks a thread to stop, for it to stand still when it is needed. */
  ask(tracee: Tracee): void {
    if (tracee.state.kind === "running") tracee.ask(true);
  }

  letAskedGo(): void {
    for (const tracee of this.#all.values()) tracee.unask();
  }

  /**
   * Takes what has happened to running threads, and passes signals on. Never waits, and ends also where
   * threads get signals faster than they are passed on.
   */
  collect(): void {
    for (let taken = 0; taken < MOST_AT_ONCE; taken++) {
      const any = this.#os.lookForAny();
      if (any === undefined) return;
      const tracee = this.#all.get(any.tid);
      if (tracee !== undefined && this.#meet(tracee, any.found)) continue;
      // A thread that has executed a program has the id of the first one, which had ended.
      if (tracee === undefined && any.tid === this.pid && this.#os.wait(any.tid, false).kind === "exec")
        this.#executed(this.pid);
      // A child of another part of this program, or a thread of another process.
      this.#sweep();
      return;
    }
  }

  /** The threads that stand still forget the signals of stop points that are on their way to them, and stand still again. */
  forgetTraps(): void {
    for (const tracee of this.#all.values()) {
      if (tracee.state.kind !== "stopped" || !this.#os.isStopPointPending(tracee.tid)) continue;
      const signal = this.#takeTraps(tracee);
      if (signal !== undefined) this.settleAgain(tracee, signal);
    }
  }

  /** Whether the thread's seccomp filters let pass what we have it do, or are no more while it is borrowed. */
  suspendFilters(tracee: Tracee): boolean {
    if (this.#os.suspendSeccomp(tracee.tid, true) === 0) return true;
    return this.#os.seccompMode(tracee.pid, tracee.tid) === 0;
  }

  restoreFilters(tracee: Tracee): void {
    this.#os.suspendSeccomp(tracee.tid, false);
  }

  /**
   * Lets a stopped thread run to the next entry or exit of a system call; from
   * whatever else it is stopped for it is let on at once. false where it has ended.
   */
  stepToSystemCall(tracee: Tracee): boolean {
    tracee.drive("to-system-call", 0);
    for (;;) {
      const status = this.#os.wait(tracee.tid, true);
      switch (status.kind) {
        case "no-tracee":
          this.#lost(tracee);
          break;
        case "ended":
        case "exec":
          this.#take(tracee, status);
          break;
        case "system-call":
          return true;
        case "signal":
          tracee.drive("to-system-call", status.signal);
          break;
        case "stop":
          tracee.drive("to-system-call", 0);
          break;
        case "interrupted":
        case "nothing":
      }
      if (!this.#all.has(tracee.tid)) return false;
    }
  }

  /**
   * From another kind of stop into that in which a thread counts as stopped, where
   * the kernel also restarts the system call that the registers say it is in. The signal is delivered before. false where it has ended.
   */
  settleAgain(tracee: Tracee, signal = 0): boolean {
    tracee.settle(signal);
    this.#settle(tracee, Number.POSITIVE_INFINITY);
    return isStopped(tracee);
  }

  /**
   * Lets a thread that stands still wait on in the system call that it is in, to learn which that is: see
   * wait-on.ts. It stands still again then, if it has not ended.
   */
  letWaitOn(tracee: Tracee): void {
    for (let round = 0; round < MOST_AT_ONCE; round++) {
      const { call, signal, byItself } = waitOn(tracee, this.#os, (status) =>
        status === "lost" ? this.#lost(tracee) : this.#take(tracee, status),
      );
      if (!this.#all.has(tracee.tid) || !this.settleAgain(tracee, signal)) return;
      const isIn = tracee.waitsOnBy() !== undefined;
      if (call !== undefined && isIn) tracee.learnCall(call);
      if (!isIn || !byItself) return;
    }
  }

  /** Waits until a thread that was asked to stop has stopped or ended. false where it has not by the deadline. */
  #settle(tracee: Tracee, deadline: number): boolean {
    while (tracee.state.kind === "asked") {
      const found = this.#os.look(tracee.tid, true);
      switch (found.kind) {
        case "signal":
        case "something":
          this.#meet(tracee, found);
          break;
        case "no-tracee":
          this.#lost(tracee);
          break;
        case "interrupted":
          if (!this.#isStillComing(tracee, deadline)) return false;
          break;
        case "nothing":
      }
    }
    return true;
  }

  #isStillComing(tracee: Tracee, deadline: number): boolean {
    // It may be one that calls exec, for which the others have to be waited for.
    if (this.#os.now() >= this.#nextSweep) this.#sweep();
    if (tracee.state.kind !== "asked") return true;
    const state = this.#os.threadState(tracee.pid, tracee.tid);
    if (state === "Z") {
      // The first thread can be waited for only when the others are no more, which the sweep may have seen to.
      if (!this.#meetIfAny(tracee)) tracee.end();
      return true;
    }
    // One that only waits for a processor, or has just stopped, will be met, however busy the machine is.
    return this.#os.now() <= deadline + (state === "D" ? 0 : BUSY_MS);
  }

  #sweep(): void {
    const start = this.#os.now();
    for (const tracee of [...this.#all.values()])
      for (let taken = 0; taken < MOST_OF_ONE && this.#all.has(tracee.tid); taken++)
        if (!this.#meetIfAny(tracee)) break;
    this.#nextSweep = start + SWEEP_PAUSE * (this.#os.now() - start);
  }

  /** Whether something has happened to it, which is taken then. */
  #meetIfAny(tracee: Tracee): boolean {
    const found = this.#os.look(tracee.tid, false);
    if (found.kind === "no-tracee") this.#lost(tracee);
    return isFound(found) && this.#meet(tracee, found);
  }

  /**
   * Takes what was found to have happened to a thread; false where it is gone again. A
   * signal is passed on without being taken: should we be killed now, the kernel delivers it.
   */
  #meet(tracee: Tracee, found: Found): boolean {
    if (found.kind === "signal") {
      this.#signals++;
      tracee.pass(found.signal);
      return true;
    }
    const status = this.#os.wait(tracee.tid, false);
    switch (status.kind) {
      case "no-tracee":
        this.#lost(tracee);
        return false;
      case "nothing":
      case "interrupted":
        return false;
      default:
        this.#take(tracee, status);
        return true;
    }
  }

  /** What a wait status says, and what follows from it at once. */
  #take(tracee: Tracee, status: WaitStatus): void {
    switch (status.kind) {
      case "ended":
        if (tracee.tid === this.pid) this.#gone ??= status.why;
        this.#lost(tracee);
        return;
      case "stop":
        tracee.hasStopped(status.byJobControl);
        return;
      case "exec":
        this.#executed(tracee.pid);
        return;
      case "system-call":
        tracee.atSystemCall();
        return;
      case "signal":
        if (status.signal === SIGTRAP && this.#os.isFromStopPoint(tracee.tid)) this.#arrived(tracee);
        else tracee.pass(status.signal);
    }
  }

  #arrived(tracee: Tracee): void {
    const isWanted = tracee.state.kind === "asked";
    // Where nobody waits for it to stop, that is done now: it has to stand when it is told of.
    if (tracee.arrive() && !isWanted) this.#settle(tracee, Number.POSITIVE_INFINITY);
  }

  #lost(tracee: Tracee): void {
    tracee.end();
    tracee.disarm();
    if (this.#all.delete(tracee.tid)) this.#died.push(tracee.tid);
    if (this.#all.size > 0) return;
    this.#gone ??= "it has ended";
    // Unless it has executed a program, by a thread that has the id of the first one now, which had ended.
    partNow(this.pid, this.#os);
  }

  /** The kernel has ended all other threads of that process, and that which called exec has the id of the first one now. */
  #executed(pid: number): void {
    if (pid === this.pid) this.#gone ??= "it runs another program now (exec)";
    this.#finder.forgetGroup(pid);
    partNow(pid, this.#os);
    for (const tracee of [...this.#all.values()]) {
      if (tracee.pid !== pid) continue;
      if (tracee.tid !== pid) this.#os.wait(tracee.tid, false);
      this.#lost(tracee);
    }
  }

  /** false where that cannot be, as it has ended: that has to be waited for. */
  #detach(tracee: Tracee): boolean {
    tracee.disarm();
    tracee.seeToCall();
    const signal = tracee.wasWatched ? this.#takeTraps(tracee) : 0;
    return signal === undefined || tracee.detach(signal);
  }

  /**
   * Takes the signals of stop points that are on their way to a thread that stands still,
   * in the stops for them. The signal that is to be delivered when it goes on; undefined where it has ended.
   */
  #takeTraps(tracee: Tracee): number | undefined {
    if (!this.#os.isStopPointPending(tracee.tid)) return 0;
    using _ = this.#os.trapUnblocked(tracee.tid);
    let signal = 0;
    do {
      tracee.drive("run", signal);
      let found: Found | Nothing = INTERRUPTED;
      while (found.kind === "interrupted") found = this.#os.look(tracee.tid, true);
      signal = found.kind === "signal" ? found.signal : 0;
      // It is delivered by the next request, and not taken before: see `#meet`.
      if (signal > 0) continue;
      const status = this.#os.wait(tracee.tid, false);
      if (status.kind === "ended" || status.kind === "exec") this.#take(tracee, status);
      else if (status.kind === "signal") {
        if (status.signal === SIGTRAP && !this.#os.isFromStopPoint(tracee.tid)) signal = SIGTRAP;
      } else if (status.kind === "no-tracee") this.#lost(tracee);
    } while (this.#all.has(tracee.tid) && this.#os.isStopPointPending(tracee.tid));
    return this.#all.has(tracee.tid) ? signal : undefined;
  }
}

function isStopped({ state }: Tracee): boolean {
  return state.kind === "stopped";
}

function isFound(found: Found | Nothing): found is Found {
  return found.kind === "signal" || found.kind === "something";
}
