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
import { alarmClock } from "../os/alarm-clock.ts";
import { isFromStopPoint, isStopPointPending } from "../os/breakpoint.ts";
import {
  findWaitable,
  INTERRUPTED,
  look,
  NO_TRACEE,
  OPTION_SUSPEND_SECCOMP,
  PTRACE_CONT,
  PTRACE_DETACH,
  PTRACE_GETREGS,
  PTRACE_INTERRUPT,
  PTRACE_LISTEN,
  PTRACE_SETOPTIONS,
  PTRACE_SYSCALL,
  ptrace,
  ptraceNumber,
  SIGTRAP,
  SOMETHING,
  wait,
  waitableSignal,
} from "../os/linux.ts";
import { trapUnblocked } from "../os/signal-mask.ts";
import { statusField, threadState } from "../os/thread-list.ts";
import {
  endOf,
  hasEnded,
  isEventStop,
  isExec,
  isGroupStop,
  isSystemCall,
  isTrapSignal,
  signalOf,
} from "../os/wait-status.ts";
import { OPTIONS } from "./attach.ts";
import { putBackInterrupted } from "./interrupted-call.ts";
import { partLater, partNow } from "./parting.ts";
import { REGISTER } from "./signal-frame.ts";
import { ThreadFinder } from "./thread-finder.ts";
import { forgetStop, type Tracee, wayOn } from "./tracee.ts";
import { unstoppable } from "./unstoppable.ts";

/** How much longer than others a thread may take that is ready to run and has no processor. */
const BUSY_MS = 10_000;
/** What is taken before other things have their turn. */
const MOST_AT_ONCE = 32;
const MOST_OF_ONE = 4;
/** How many times as long as a look at all threads took the next one is away: those that are to stop need the processors. */
const SWEEP_PAUSE = 8;
/** How long a thread that does not stop is waited for when the tracing ends. */
const PARTING_MS = 100;

export class Tracees implements Disposable {
  readonly pid: number;
  /** By id. One that has ended is not in it. */
  readonly all = new Map<number, Tracee>();
  /** Threads that have ended, to be told. */
  readonly died: number[] = [];
  /** Why there is nothing to trace any more. */
  gone: string | undefined;
  /** How many signals were passed on. */
  signals = 0;
  readonly #finder: ThreadFinder;
  /** When the others may be looked at again while one is waited for. */
  #nextSweep = 0;

  /** Throws `TARGET_GONE`, `PTRACE_DENIED`, `ALREADY_TRACED`; nothing is traced then. */
  constructor(pid: number) {
    this.pid = pid;
    this.#finder = new ThreadFinder(pid, this.all);
    try {
      // Those that are born meanwhile are met in the first stop: here no one keeps them from having others.
      this.#finder.findThreads();
      this.#finder.prepare();
      if (this.all.size === 0) {
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
    alarmClock.start();
    const deadline = performance.now() + PARTING_MS;
    for (const tracee of this.all.values()) if (tracee.state === "running") this.#interrupt(tracee);
    for (const tracee of [...this.all.values()]) {
      const hasSettled = this.#settle(tracee, deadline);
      if (this.all.has(tracee.tid) && !(hasSettled && this.#detach(tracee))) partLater(tracee);
    }
    alarmClock.stop();
    this.all.clear();
    this.#finder[Symbol.dispose]();
  }

  /**
   * Stops every thread, those too that are born meanwhile. Throws `STOP_TIMEOUT`
   * where one has not stopped after `patience` milliseconds.
   */
  stopAll(patience: number): void {
    const deadline = performance.now() + patience;
    // Asked at once: one that runs on may end and leave another in its place, for ever.
    const ask = (tracee: Tracee): void => this.#interrupt(tracee);
    do {
      for (const tracee of this.all.values()) if (tracee.state === "running") this.#interrupt(tracee);
      for (const tracee of this.all.values()) {
        if (tracee.state === "asked" && !this.#settle(tracee, deadline)) throw unstoppable(tracee);
      }
    } while (this.gone === undefined && (this.#finder.findThreads(ask) || this.#finder.findSharers(ask)));
  }

  /** Lets all threads go but those that stand at a stop point. */
  resumeAll(): void {
    for (const tracee of this.all.values()) if (tracee.state === "stopped" && !tracee.held) this.letGo(tracee);
  }

  /** Whether it stands still now; false where it has ended. Throws `STOP_TIMEOUT`. */
  stop(tracee: Tracee, patience: number): boolean {
    if (tracee.state === "running") this.#interrupt(tracee);
    if (!this.#settle(tracee, performance.now() + patience)) throw unstoppable(tracee);
    return tracee.state === "stopped";
  }

  /** Asks a thread to stop, for it to stand still when it is needed. */
  ask(tracee: Tracee): void {
    if (tracee.state !== "running") return;
    this.#interrupt(tracee);
    tracee.askedEarly = true;
  }

  letAskedGo(): void {
    for (const tracee of this.all.values()) {
      if (!tracee.askedEarly) continue;
      tracee.askedEarly = false;
      // One that has not stopped yet is let go as soon as it has.
      if (tracee.state === "asked") tracee.state = "running";
      else if (tracee.state === "stopped" && !tracee.held) this.letGo(tracee);
    }
  }

  letGo(tracee: Tracee): void {
    putBackInterrupted(tracee);
    forgetStop(tracee);
    tracee.held = false;
    tracee.hit = false;
    tracee.askedEarly = false;
    tracee.state = "running";
    // An error says that it was killed, which a later wait finds.
    ptraceNumber(tracee.groupStop ? PTRACE_LISTEN : wayOn(tracee), tracee.tid, 0, 0);
  }

  /**
   * Takes what has happened to running threads, and passes signals on. Never waits, and ends also where
   * threads get signals faster than they are passed on.
   */
  collect(): void {
    for (let taken = 0; taken < MOST_AT_ONCE; taken++) {
      const found = findWaitable();
      if (found === 0) return;
      const tracee = this.all.get(found);
      if (tracee !== undefined && this.#meet(tracee)) continue;
      // A thread that has executed a program has the id of the first one, which had ended.
      if (tracee === undefined && found === this.pid && isExec(wait(found, false))) this.#executed(this.pid);
      // A child of another part of this program, or a thread of another process.
      this.#sweep();
      return;
    }
  }

  /** The threads that stand still forget the signals of stop points that are on their way to them, and stand still again. */
  forgetTraps(): void {
    for (const tracee of this.all.values()) {
      if (tracee.state !== "stopped" || !isStopPointPending(tracee.tid)) continue;
      const signal = this.#takeTraps(tracee);
      if (signal !== undefined) this.settleAgain(tracee, signal);
    }
  }

  /** Whether the thread's seccomp filters let pass what we have it do, or are no more while it is borrowed. */
  suspendFilters(tracee: Tracee): boolean {
    if (ptraceNumber(PTRACE_SETOPTIONS, tracee.tid, 0, OPTIONS | OPTION_SUSPEND_SECCOMP) === 0) return true;
    return statusField(tracee.pid, tracee.tid, "Seccomp") === "0";
  }

  restoreFilters(tracee: Tracee): void {
    ptraceNumber(PTRACE_SETOPTIONS, tracee.tid, 0, OPTIONS);
  }

  /**
   * Lets a stopped thread run to the next entry or exit of a system call; from
   * whatever else it is stopped for it is let on at once. false where it has ended.
   */
  stepToSystemCall(tracee: Tracee): boolean {
    forgetStop(tracee);
    ptraceNumber(PTRACE_SYSCALL, tracee.tid, 0, 0);
    for (;;) {
      const status = wait(tracee.tid, true);
      if (status === NO_TRACEE) this.#lost(tracee);
      else if (status >= 0) {
        if (hasEnded(status) || isExec(status)) this.#take(tracee, status);
        else if (isSystemCall(status)) return true;
        else ptraceNumber(PTRACE_SYSCALL, tracee.tid, 0, isEventStop(status) ? 0 : signalOf(status));
      }
      if (!this.all.has(tracee.tid)) return false;
    }
  }

  /**
   * From another kind of stop into that in which a thread counts as stopped, where
   * the kernel also restarts the system call that the registers say it is in. The signal is delivered before. false where it has ended.
   */
  settleAgain(tracee: Tracee, signal = 0): boolean {
    tracee.state = "asked";
    this.#pass(tracee, signal);
    this.#settle(tracee, Number.POSITIVE_INFINITY);
    return (tracee.state as Tracee["state"]) === "stopped";
  }

  #interrupt(tracee: Tracee): void {
    tracee.state = "asked";
    ptraceNumber(PTRACE_INTERRUPT, tracee.tid, 0, 0);
  }

  /** Waits until a thread that was asked to stop has stopped or ended. false where it has not by the deadline. */
  #settle(tracee: Tracee, deadline: number): boolean {
    while (tracee.state === "asked") {
      const found = look(tracee.tid, true);
      if (found === SOMETHING) this.#meet(tracee);
      else if (found === NO_TRACEE) this.#lost(tracee);
      else if (found === INTERRUPTED && !this.#isStillComing(tracee, deadline)) return false;
    }
    return true;
  }

  #isStillComing(tracee: Tracee, deadline: number): boolean {
    // It may be one that calls exec, for which the others have to be waited for.
    if (performance.now() >= this.#nextSweep) this.#sweep();
    if (tracee.state !== "asked") return true;
    const state = threadState(tracee.pid, tracee.tid);
    if (state === "Z") {
      // The first thread can be waited for only when the others are no more, which the sweep may have seen to.
      if (look(tracee.tid, false) !== SOMETHING || !this.#meet(tracee)) tracee.state = "ended";
      return true;
    }
    // One that only waits for a processor, or has just stopped, will be met, however busy the machine is.
    return performance.now() <= deadline + (state === "D" ? 0 : BUSY_MS);
  }

  #sweep(): void {
    const start = performance.now();
    for (const tracee of [...this.all.values()])
      for (let taken = 0; taken < MOST_OF_ONE && this.all.has(tracee.tid); taken++) {
        const found = look(tracee.tid, false);
        if (found === NO_TRACEE) this.#lost(tracee);
        if (found !== SOMETHING || !this.#meet(tracee)) break;
      }
    this.#nextSweep = start + SWEEP_PAUSE * (performance.now() - start);
  }

  /**
   * Takes what was found to have happened to a thread; false where it is gone again. A
   * signal is passed on without being taken: should we be killed now, the kernel delivers it.
   */
  #meet(tracee: Tracee): boolean {
    const signal = waitableSignal();
    if (signal > 0) {
      this.signals++;
      this.#pass(tracee, signal);
      return true;
    }
    const status = wait(tracee.tid, false);
    if (status >= 0) this.#take(tracee, status);
    else if (status === NO_TRACEE) this.#lost(tracee);
    return status >= 0;
  }

  /** What a wait status says, and what follows from it at once. */
  #take(tracee: Tracee, status: number): void {
    if (hasEnded(status)) this.#ended(tracee, status);
    else if (isEventStop(status)) {
      tracee.groupStop = isGroupStop(status);
      if (tracee.state === "asked") tracee.state = "stopped";
      else this.letGo(tracee);
    } else if (isExec(status)) this.#executed(tracee.pid);
    else if (isTrapSignal(status) && isFromStopPoint(tracee.tid)) this.#hit(tracee);
    else if (isSystemCall(status)) this.#atSystemCall(tracee);
    else this.#pass(tracee, signalOf(status));
  }

  #atSystemCall(tracee: Tracee): void {
    const { call } = tracee;
    if (typeof call === "object" && ptrace(PTRACE_GETREGS, tracee.tid, 0, tracee.registers) === 0) {
      const [rip, rsp] = [REGISTER.rip, REGISTER.rsp].map((at) => Number(tracee.registers.readBigUInt64LE(at)));
      if (rip === call.rip && rsp === call.rsp) tracee.call = tracee.registers.readInt32LE(REGISTER.rdi);
    }
    this.#goOn(tracee, 0);
  }

  #hit(tracee: Tracee): void {
    if (tracee.stopPoint === undefined) {
      // It was taken away meanwhile: nobody waits for it.
      this.#pass(tracee, 0);
      return;
    }
    tracee.hit = true;
    tracee.held = true;
    if (tracee.state === "asked") this.#pass(tracee, 0);
    else this.settleAgain(tracee);
  }

  #pass(tracee: Tracee, signal: number): void {
    // Traced, a thread stops for signals too that the program ignores, and whose calls go on otherwise.
    putBackInterrupted(tracee);
    this.#goOn(tracee, signal);
  }

  #goOn(tracee: Tracee, signal: number): void {
    forgetStop(tracee);
    if (tracee.state === "asked") ptraceNumber(PTRACE_INTERRUPT, tracee.tid, 0, 0);
    ptraceNumber(wayOn(tracee), tracee.tid, 0, signal);
  }

  #ended(tracee: Tracee, status: number): void {
    if (tracee.tid === this.pid) this.gone ??= endOf(status);
    this.#lost(tracee);
  }

  #lost(tracee: Tracee): void {
    tracee.state = "ended";
    tracee.stopPoint?.[Symbol.dispose]();
    tracee.stopPoint = undefined;
    if (this.all.delete(tracee.tid)) this.died.push(tracee.tid);
    if (this.all.size > 0) return;
    this.gone ??= "it has ended";
    // Unless it has executed a program, by a thread that has the id of the first one now, which had ended.
    partNow(this.pid);
  }

  /** The kernel has ended all other threads of that process, and that which called exec has the id of the first one now. */
  #executed(pid: number): void {
    if (pid === this.pid) this.gone ??= "it runs another program now (exec)";
    this.#finder.forgetGroup(pid);
    partNow(pid);
    for (const tracee of [...this.all.values()]) {
      if (tracee.pid !== pid) continue;
      if (tracee.tid !== pid) wait(tracee.tid, false);
      this.#lost(tracee);
    }
  }

  /** false where that cannot be, as it has ended: that has to be waited for. */
  #detach(tracee: Tracee): boolean {
    tracee.stopPoint?.[Symbol.dispose]();
    tracee.stopPoint = undefined;
    putBackInterrupted(tracee);
    const signal = tracee.wasWatched ? this.#takeTraps(tracee) : 0;
    return signal === undefined || ptraceNumber(PTRACE_DETACH, tracee.tid, 0, signal) === 0;
  }

  /**
   * Takes the signals of stop points that are on their way to a thread that stands still,
   * in the stops for them. The signal that is to be delivered when it goes on; undefined where it has ended.
   */
  #takeTraps(tracee: Tracee): number | undefined {
    if (!isStopPointPending(tracee.tid)) return 0;
    using _ = trapUnblocked(tracee.tid);
    let signal = 0;
    do {
      forgetStop(tracee);
      ptraceNumber(PTRACE_CONT, tracee.tid, 0, signal);
      let found = INTERRUPTED;
      while (found === INTERRUPTED) found = look(tracee.tid, true);
      signal = found === SOMETHING ? waitableSignal() : 0;
      // It is delivered by the next request, and not taken before: see `#meet`.
      if (signal > 0) continue;
      const status = wait(tracee.tid, false);
      if (status < 0) this.#lost(tracee);
      else if (hasEnded(status)) this.#take(tracee, status);
      else if (isTrapSignal(status) && !isFromStopPoint(tracee.tid)) signal = SIGTRAP;
    } while (this.all.has(tracee.tid) && isStopPointPending(tracee.tid));
    return this.all.has(tracee.tid) ? signal : undefined;
  }
}
