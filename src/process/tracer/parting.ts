/**
 * Threads that could not be let go when the tracing of their process ended. Those that slept in the
 * kernel would stand still as soon as they wake; those that had ended, and were not waited for yet, would
 * remain as zombies, and their parents would not hear of it: for as long as this program runs. They are
 * let go, or waited for, as soon as that can be. When this program ends the kernel does that.
 */

import type { Os } from "../os/os.ts";
import { Tracee } from "./tracee.ts";

const PAUSE_MS = 5;

const remaining = new Map<Tracee, Os>();

/** To be called by the thread that traces it. */
export function partLater(tracee: Tracee, os: Os): void {
  tracee.disarm();
  if (hasParted(tracee, os)) return;
  remaining.set(tracee, os);
  if (remaining.size === 1) again();
}

/** Of the only thread of a process, which is in a stop or has ended. */
export function partNow(pid: number, os: Os): void {
  const tracee = new Tracee(pid, pid, os);
  if (!tracee.detach(0)) partLater(tracee, os);
}

/** Whether a thread was to be let go later and is traced still: it is the caller's again then. */
export function takeBack(tid: number, os: Os): boolean {
  for (const [tracee, itsOs] of remaining) {
    if (tracee.tid !== tid || itsOs !== os) continue;
    remaining.delete(tracee);
    return true;
  }
  return false;
}

function again(): void {
  setTimeout(() => {
    for (const [tracee, os] of remaining) if (hasParted(tracee, os)) remaining.delete(tracee);
    if (remaining.size > 0) again();
  }, PAUSE_MS).unref();
}

function hasParted(tracee: Tracee, os: Os): boolean {
  const status = os.wait(tracee.tid, false);
  switch (status.kind) {
    case "no-tracee":
    case "ended":
      return true;
    case "nothing":
    case "interrupted":
      return false;
    default:
      tracee.meetAnotherStop();
      tracee.seeToCall();
      // A signal that it stops for is delivered by letting it go.
      if (tracee.detach(status.kind === "signal" ? status.signal : 0)) return true;
      os.resume(tracee.tid, "run", 0);
      return false;
  }
}
