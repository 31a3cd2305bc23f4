/**
 * What the tracer asks of the operating system, in one place: `LINUX` (linux.ts) is the real one, and
 * what a test makes up is another. What returns a number returns 0, or the error number.
 */
import type { Registers } from "../../arch/registers.ts";
import type { WayOn } from "./ptrace.ts";
import type { Found } from "./wait.ts";
import type { Nothing, WaitStatus } from "./wait-status.ts";

/**
 * One machine's threads as a tracer reaches them. Calls are from one thread, and none
 * waits but those that are told to block.
 */
export interface Os {
  /** All zero. */
  newRegisters(): Registers;

  seize(tid: number): number;
  interrupt(tid: number): number;
  resume(tid: number, way: WayOn, signal: number): number;
  detach(tid: number, signal: number): number;
  readRegisters(tid: number, into: Registers): number;
  writeRegisters(tid: number, registers: Registers): number;
  suspendSeccomp(tid: number, suspend: boolean): number;
  /** Of the SIGTRAP for which a thread stands still. */
  isFromStopPoint(tid: number): boolean;
  /** Of a thread that stands still. */
  isStopPointPending(tid: number): boolean;
  /** Lets a thread that stands still have SIGTRAP for as long as this lasts. */
  trapUnblocked(tid: number): Disposable;

  /** Looks for what has happened to a tracee, and takes nothing. */
  look(tid: number, block: boolean): Found | Nothing;
  lookForAny(): { readonly tid: number; readonly found: Found } | undefined;
  /** Takes what has happened to a tracee. */
  wait(tid: number, block: boolean): WaitStatus | Nothing;
  /** While it runs, waits that block are interrupted from time to time. */
  readonly alarmClock: { start(): void; stop(): void };
  /** Milliseconds. */
  now(): number;
  /** For a moment in which other threads get on. */
  pause(): void;

  /** Empty where the process is no more. */
  threadsOf(pid: number): readonly number[];
  /** Dead leaders included; 0 where it is no more. */
  threadCount(pid: number): number;
  /** The letter of proc_pid_stat(5); undefined where there is no such thread. */
  threadState(pid: number, tid: number): string | undefined;
  /** 0 where it has none. */
  tracerOf(pid: number, tid: number): number;
  /** 0 none, 1 strict, 2 filters; undefined where there is no such thread. */
  seccompMode(pid: number, tid: number): number | undefined;
  /** The kernel's function that a thread sleeps in; empty where it does not sleep, undefined where the kernel does not tell. */
  sleepsIn(pid: number, tid: number): string | undefined;
  /** Whether a thread is the kernel's own, which runs no code of the program. */
  isKernelHelper(pid: number, tid: number): boolean;
  /** The process, by vfork or the like, that a thread waits for in the kernel; undefined where it waits for none. */
  childWaitedFor(pid: number, tid: number): { readonly pid: number; readonly name: string } | undefined;
  /** @param groups processes that are known */
  findSharers(groups: ReadonlySet<number>): SharerSearch;
}

/** Looks for processes that share the memory of those that are known. */
export interface SharerSearch extends Disposable {
  /**
   * While the process runs: makes the look in a stop a short one.
   *
   * @param member a task of the process, which is no more than now known to have the memory
   */
  prepare(member: number | undefined): void;
  /** Processes with the memory that are not known, while all that are known stand still. */
  found(member: number): readonly number[];
}
