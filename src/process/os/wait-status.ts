/** What wait(2) says of a tracee: ptrace(2), "Execution under ptrace". */
import { SIGTRAP } from "./signals.ts";

/** What has happened to a thread that is traced. */
export type WaitStatus =
  /** It is no more. `why` is for people. */
  | { readonly kind: "ended"; readonly why: string }
  /** It is about to get this signal. */
  | { readonly kind: "signal"; readonly signal: number }
  /** The stop that PTRACE_INTERRUPT asks for, or one by job control (SIGSTOP and the like). */
  | { readonly kind: "stop"; readonly byJobControl: boolean }
  /** At the entry or the exit of a system call. */
  | { readonly kind: "system-call" }
  /** It runs another program now. */
  | { readonly kind: "exec" };

/** What a wait that found nothing to take ended with. */
export type Nothing =
  | { readonly kind: "nothing" }
  /** A signal for this thread of ours ended the wait: see alarm-clock.ts. */
  | { readonly kind: "interrupted" }
  /** There is no such tracee any more. */
  | { readonly kind: "no-tracee" };

/** Nothing has happened yet. */
export const NOTHING = { kind: "nothing" } as const;
/** A signal for this thread of ours ended the wait. */
export const INTERRUPTED = { kind: "interrupted" } as const;
/** There is no such tracee any more. */
export const NO_TRACEE = { kind: "no-tracee" } as const;

const EVENT_EXEC = 4;
const EVENT_STOP = 128;
const IS_STOPPED = 0x7f;
/** PTRACE_O_TRACESYSGOOD. */
const SYSTEM_CALL_TRAP = SIGTRAP | 0x80;

// One for all: each thread has one in each stop.
const INTERRUPT_STOP: WaitStatus = { kind: "stop", byJobControl: false };
const GROUP_STOP: WaitStatus = { kind: "stop", byJobControl: true };
const SYSTEM_CALL: WaitStatus = { kind: "system-call" };
const EXEC: WaitStatus = { kind: "exec" };

/** From the number that waitpid(2) gives, on Linux the same on every architecture. */
export function waitStatus(status: number): WaitStatus {
  if ((status & 0xff) !== IS_STOPPED) return { kind: "ended", why: endOf(status) };
  const signal = (status >> 8) & 0xff;
  switch (status >> 16) {
    case EVENT_STOP:
      return signal === SIGTRAP ? INTERRUPT_STOP : GROUP_STOP;
    case EVENT_EXEC:
      return EXEC;
    case 0:
      return signal === SYSTEM_CALL_TRAP ? SYSTEM_CALL : { kind: "signal", signal };
    default:
      // No other events are asked for.
      return { kind: "signal", signal: 0 };
  }
}

function endOf(status: number): string {
  const signal = status & 0x7f;
  return signal === 0 ? `it exited with ${(status >> 8) & 0xff}` : `signal ${signal} ended it`;
}
