/** A small kernel with threads, as ptrace(2) has it, for tests of the tracer: nothing runs, and nothing needs a privilege. */
import type { Registers } from "../../arch/registers.ts";
import { nativeLinux } from "../os/native.ts";
import type { Os, SharerSearch } from "../os/os.ts";
import { EPERM, ESRCH, type WayOn } from "../os/ptrace.ts";
import { SIGTRAP } from "../os/signals.ts";
import type { Found } from "../os/wait.ts";
import { INTERRUPTED, NO_TRACEE, NOTHING, type Nothing, type WaitStatus } from "../os/wait-status.ts";

/** How long a blocking wait takes until the alarm clock interrupts it, milliseconds. */
const TICK_MS = 2;

export class MadeUpThread {
  readonly tid: number;
  readonly pid: number;
  readonly registers: Registers = nativeLinux().newRegisters();
  isTraced = false;
  /** `asleep`: in the kernel, where nothing wakes it. `listening`: stopped by job control, and told of what follows. */
  mode: "running" | "asleep" | "in a stop" | "listening" | "zombie" = "running";
  /** What it is in a stop for, or has ended with, until that is taken. */
  event: WaitStatus | undefined;
  /** Whether the SIGTRAP of its stop is one of a stop point. */
  isFromStopPoint = false;
  isGroupStopped = false;
  isInterrupted = false;
  readonly pending: number[] = [];
  /** Signals that the program has got. */
  readonly delivered: number[] = [];
  /** The signal that it is in a stop for. */
  stopSignal = 0;
  seccomp = 0;

  constructor(tid: number, pid: number) {
    this.tid = tid;
    this.pid = pid;
  }
}

export class MadeUpOs implements Os {
  readonly threads = new Map<number, MadeUpThread>();
  /** Signals that the kernel has given us, and that would be lost if we were killed. */
  readonly taken: number[] = [];
  /** Requests that let threads go on, as `tid way signal`. */
  readonly resumed: string[] = [];
  /** What happens while a wait blocks. */
  whileWaiting: () => void = () => {};
  sharers: readonly number[] = [];
  /** Whether threads are in system calls that are about to fail since they were stopped. */
  isInInterruptedCall = false;
  #now = 0;
  readonly alarmClock = { start: (): void => {}, stop: (): void => {} };

  add(tid: number, pid: number): MadeUpThread {
    const thread = new MadeUpThread(tid, pid);
    this.threads.set(tid, thread);
    return thread;
  }

  /** A signal for a thread. */
  send(tid: number, signal: number): void {
    const thread = this.thread(tid);
    thread.pending.push(signal);
    this.#goOn(thread);
  }

  /** The signal of its stop point. */
  arriveAtStopPoint(tid: number): void {
    const thread = this.thread(tid);
    thread.isFromStopPoint = true;
    this.send(tid, SIGTRAP);
  }

  stopByJobControl(pid: number): void {
    for (const thread of this.#of(pid)) {
      thread.isGroupStopped = true;
      this.#goOn(thread);
    }
  }

  continueByJobControl(pid: number): void {
    for (const thread of this.#of(pid)) {
      thread.isGroupStopped = false;
      if (thread.mode === "listening") this.#stop(thread, { kind: "stop", byJobControl: false });
    }
  }

  wake(tid: number): void {
    const thread = this.thread(tid);
    thread.mode = "running";
    this.#goOn(thread);
  }

  end(tid: number): void {
    const thread = this.thread(tid);
    const others = this.#of(thread.pid).filter((each) => each !== thread && each.mode !== "zombie");
    thread.mode = "zombie";
    // The first thread can be waited for when the others are no more.
    if (tid !== thread.pid || others.length === 0) this.#reap(thread);
    const leader = this.threads.get(thread.pid);
    if (leader !== undefined && leader !== thread && leader.mode === "zombie" && others.length === 0)
      this.#reap(leader);
  }

  #reap(thread: MadeUpThread): void {
    if (thread.isTraced) thread.event = { kind: "ended", why: "it exited with 0" };
    else this.threads.delete(thread.tid);
  }

  /** A thread executes a program: it has the id of the first one then, and the others are no more. */
  exec(tid: number): void {
    const { pid } = this.thread(tid);
    const { isTraced } = this.thread(pid);
    for (const other of this.#of(pid)) this.threads.delete(other.tid);
    const thread = this.add(pid, pid);
    thread.isTraced = isTraced;
    if (isTraced) this.#stop(thread, { kind: "exec" });
  }

  thread(tid: number): MadeUpThread {
    const thread = this.threads.get(tid);
    if (thread === undefined) throw new Error(`there is no thread ${tid}`);
    return thread;
  }

  #of(pid: number): MadeUpThread[] {
    return [...this.threads.values()].filter((thread) => thread.pid === pid);
  }

  #stop(thread: MadeUpThread, event: WaitStatus): void {
    thread.mode = "in a stop";
    thread.event = event;
    thread.stopSignal = event.kind === "signal" ? event.signal : 0;
  }

  /** One that runs comes to what waits for it: in the order of the kernel, stops that were asked for first. */
  #goOn(thread: MadeUpThread): void {
    if (thread.mode !== "running") return;
    if (!thread.isTraced) {
      thread.delivered.push(...thread.pending.splice(0));
      return;
    }
    if (thread.isInterrupted) {
      thread.isInterrupted = false;
      this.#stop(thread, { kind: "stop", byJobControl: thread.isGroupStopped });
      return;
    }
    const signal = thread.pending.shift();
    if (signal !== undefined) this.#stop(thread, { kind: "signal", signal });
    else if (thread.isGroupStopped) this.#stop(thread, { kind: "stop", byJobControl: true });
  }

  #traced(tid: number): MadeUpThread | undefined {
    const thread = this.threads.get(tid);
    return thread?.isTraced === true ? thread : undefined;
  }

  #inStop(tid: number): MadeUpThread | undefined {
    const thread = this.#traced(tid);
    return thread?.mode === "in a stop" ? thread : undefined;
  }

  newRegisters(): Registers {
    const registers = nativeLinux().newRegisters();
    registers.leaveInterruptedCall = () => this.isInInterruptedCall;
    return registers;
  }

  seize(tid: number): number {
    const thread = this.threads.get(tid);
    if (thread === undefined || thread.mode === "zombie") return ESRCH;
    if (thread.isTraced) return EPERM;
    thread.isTraced = true;
    this.#goOn(thread);
    return 0;
  }

  interrupt(tid: number): number {
    const thread = this.#traced(tid);
    if (thread === undefined || thread.mode === "zombie") return ESRCH;
    thread.isInterrupted = true;
    if (thread.mode === "listening") thread.mode = "running";
    this.#goOn(thread);
    return 0;
  }

  resume(tid: number, way: WayOn, signal: number): number {
    const thread = this.#inStop(tid);
    if (thread === undefined) return ESRCH;
    this.resumed.push(`${tid} ${way} ${signal}`);
    this.#leaveStop(thread, signal);
    if (way === "listen") thread.mode = "listening";
    if (way === "listen" && thread.isInterrupted) thread.mode = "running";
    this.#goOn(thread);
    return 0;
  }

  #leaveStop(thread: MadeUpThread, signal: number): void {
    if (signal !== 0) thread.delivered.push(signal);
    if (thread.stopSignal === signal) {
      const at = this.taken.indexOf(signal);
      if (at >= 0) this.taken.splice(at, 1);
    }
    thread.stopSignal = 0;
    thread.event = undefined;
    thread.mode = "running";
  }

  detach(tid: number, signal: number): number {
    const thread = this.#inStop(tid);
    if (thread === undefined) return ESRCH;
    this.#leaveStop(thread, signal);
    thread.isTraced = false;
    thread.isInterrupted = false;
    this.#goOn(thread);
    return 0;
  }

  readRegisters(tid: number, into: Registers): number {
    const thread = this.#inStop(tid);
    thread?.registers.bytes.copy(into.bytes);
    return thread === undefined ? ESRCH : 0;
  }

  writeRegisters(tid: number, registers: Registers): number {
    const thread = this.#inStop(tid);
    if (thread !== undefined) registers.bytes.copy(thread.registers.bytes);
    return thread === undefined ? ESRCH : 0;
  }

  suspendSeccomp(tid: number, suspend: boolean): number {
    return this.#inStop(tid) === undefined ? ESRCH : suspend ? EPERM : 0;
  }

  isFromStopPoint(tid: number): boolean {
    return this.thread(tid).isFromStopPoint;
  }

  isStopPointPending(tid: number): boolean {
    const thread = this.#inStop(tid);
    return thread?.isFromStopPoint === true && thread.pending.includes(SIGTRAP);
  }

  trapUnblocked(): Disposable {
    return { [Symbol.dispose]() {} };
  }

  look(tid: number, block: boolean): Found | Nothing {
    const thread = this.#traced(tid);
    if (thread === undefined) return NO_TRACEE;
    if (thread.event !== undefined) return foundOf(thread.event);
    if (!block) return NOTHING;
    this.#passTime();
    return thread.event === undefined ? INTERRUPTED : foundOf(thread.event);
  }

  lookForAny(): { readonly tid: number; readonly found: Found } | undefined {
    for (const { tid, isTraced, event } of this.threads.values())
      if (isTraced && event !== undefined) return { tid, found: foundOf(event) };
    return undefined;
  }

  wait(tid: number, block: boolean): WaitStatus | Nothing {
    const thread = this.#traced(tid);
    if (thread === undefined) return NO_TRACEE;
    if (thread.event === undefined && block) this.#passTime();
    const { event } = thread;
    if (event === undefined) return block ? INTERRUPTED : NOTHING;
    thread.event = undefined;
    if (event.kind === "signal" && event.signal !== SIGTRAP) this.taken.push(event.signal);
    if (event.kind === "ended") this.threads.delete(tid);
    return event;
  }

  #passTime(): void {
    this.#now += TICK_MS;
    this.whileWaiting();
  }

  now(): number {
    return this.#now;
  }

  pause(): void {
    this.#passTime();
  }

  threadsOf(pid: number): readonly number[] {
    return this.#of(pid).map(({ tid }) => tid);
  }

  threadCount(pid: number): number {
    return this.#of(pid).length;
  }

  threadState(_pid: number, tid: number): string | undefined {
    const mode = this.threads.get(tid)?.mode;
    if (mode === undefined) return undefined;
    return { running: "R", asleep: "D", "in a stop": "t", listening: "T", zombie: "Z" }[mode];
  }

  tracerOf(_pid: number, tid: number): number {
    return this.threads.get(tid)?.isTraced === true ? 1 : 0;
  }

  seccompMode(_pid: number, tid: number): number | undefined {
    return this.threads.get(tid)?.seccomp;
  }

  sleepsIn(): undefined {
    return undefined;
  }

  isKernelHelper(): boolean {
    return false;
  }

  childWaitedFor(): undefined {
    return undefined;
  }

  findSharers(groups: ReadonlySet<number>): SharerSearch {
    return {
      prepare: () => {},
      found: () => this.sharers.filter((pid) => !groups.has(pid) && this.#of(pid).length > 0),
      [Symbol.dispose]: () => {},
    };
  }
}

function foundOf(event: WaitStatus): Found {
  return event.kind === "signal" && event.signal !== SIGTRAP
    ? { kind: "signal", signal: event.signal }
    : { kind: "something" };
}
