/** System calls that a stop has interrupted, and that the kernel would not make again by itself. */
import { PTRACE_GETREGS, PTRACE_SETREGS, ptrace } from "../os/linux.ts";
import { REGISTER } from "./signal-frame.ts";
import type { Tracee } from "./tracee.ts";

const EINTR = -4n;
/** ERESTARTNOHAND of include/linux/errno.h: made again, or EINTR where a signal is handled first. */
const ERESTARTNOHAND = -514n;
/** Of the calls that fail with EINTR the only one that has had its effect by then: the descriptor is closed. */
const SYS_CLOSE = 3n;

/**
 * Of a tracee in a stop, before it goes on: a system call that is about to fail with EINTR
 * (epoll_wait, semtimedop, receiving with a time limit and others: signal(7)) is left to the
 * kernel's own judgement, as those are that it restarts. So it fails if the program has a handler that runs
 * first, also for a signal that comes only now, and is made again if not. Its time limit
 * starts anew then, if it is relative. The tracee's registers are known then.
 *
 * @returns 0, or the error number: the tracee is no more
 */
export function putBackInterrupted(tracee: Tracee): number {
  if (tracee.registersKnown && tracee.callPutBack) return 0;
  const { tid, registers } = tracee;
  if (!tracee.registersKnown) {
    const error = ptrace(PTRACE_GETREGS, tid, 0, registers);
    if (error !== 0) return error;
    tracee.registersKnown = true;
  }
  if (tracee.callPutBack) return 0;
  tracee.callPutBack = true;
  if (!isInterrupted(registers)) return 0;
  registers.writeBigInt64LE(ERESTARTNOHAND, REGISTER.rax);
  return ptrace(PTRACE_SETREGS, tid, 0, registers);
}

/** Compared by halves: it is asked in every stop of every thread. */
function isInterrupted(registers: Buffer): boolean {
  if (registers.readInt32LE(REGISTER.rax) !== Number(EINTR) || registers.readInt32LE(REGISTER.rax + 4) !== -1)
    return false;
  const number = registers.readBigInt64LE(REGISTER.origRax);
  return number >= 0n && number !== SYS_CLOSE;
}
