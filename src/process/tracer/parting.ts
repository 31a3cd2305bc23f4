/**
 * Threads that could not be let go when the tracing of their process ended. Those that slept in the
 * kernel would stand still as soon as they wake; those that had ended, and were not waited for yet, would
 * remain as zombies, and their parents would not hear of it: for as long as this program runs. They are
 * let go, or waited for, as soon as that can be. When this program ends the kernel does that.
 */

import { NO_TRACEE, PTRACE_CONT, PTRACE_DETACH, ptraceNumber, wait } from "../os/linux.ts";
import { hasEnded, isEventStop, isExec, signalOf } from "../os/wait-status.ts";
import { putBackInterrupted } from "./interrupted-call.ts";
import { forgetStop, newTracee, type Tracee } from "./tracee.ts";

const PAUSE_MS = 5;

const remaining = new Set<Tracee>();

/** To be called by the thread that traces it. */
export function partLater(tracee: Tracee): void {
  tracee.stopPoint?.[Symbol.dispose]();
  tracee.stopPoint = undefined;
  if (hasParted(tracee)) return;
  remaining.add(tracee);
  if (remaining.size === 1) again();
}

/** Of the only thread of a process, which is in a stop or has ended. */
export function partNow(pid: number): void {
  if (ptraceNumber(PTRACE_DETACH, pid, 0, 0) !== 0) partLater(newTracee(pid, pid));
}

/** Whether a thread was to be let go later and is traced still: it is the caller's again then. */
export function takeBack(tid: number): boolean {
  for (const tracee of remaining) {
    if (tracee.tid !== tid) continue;
    remaining.delete(tracee);
    return true;
  }
  return false;
}

function again(): void {
  setTimeout(() => {
    for (const tracee of remaining) if (hasParted(tracee)) remaining.delete(tracee);
    if (remaining.size > 0) again();
  }, PAUSE_MS).unref();
}

function hasParted(tracee: Tracee): boolean {
  const status = wait(tracee.tid, false);
  if (status === NO_TRACEE) return true;
  if (status < 0) return false;
  if (hasEnded(status)) return true;
  forgetStop(tracee);
  putBackInterrupted(tracee);
  const isSignal = !isEventStop(status) && !isExec(status);
  // A signal that it stops for is delivered by letting it go.
  if (ptraceNumber(PTRACE_DETACH, tracee.tid, 0, isSignal ? signalOf(status) : 0) === 0) return true;
  ptraceNumber(PTRACE_CONT, tracee.tid, 0, 0);
  return false;
}
