/** What wait(2) says of a tracee: ptrace(2), "Execution under ptrace". */

import { SIGTRAP } from "./linux.ts";

const EVENT_EXEC = 4;
const EVENT_STOP = 128;

export function hasEnded(status: number): boolean {
  return (status & 0xff) !== 0x7f;
}

/** Why it has ended, for people. */
export function endOf(status: number): string {
  const signal = status & 0x7f;
  return signal === 0 ? `it exited with ${(status >> 8) & 0xff}` : `signal ${signal} ended it`;
}

/** Of a stop: the signal that is about to be delivered, or that job control has stopped it with. */
export function signalOf(status: number): number {
  return (status >> 8) & 0xff;
}

/** The stop that PTRACE_INTERRUPT asks for, or one by job control, when `isGroupStop`. */
export function isEventStop(status: number): boolean {
  return status >> 16 === EVENT_STOP;
}

export function isGroupStop(status: number): boolean {
  return isEventStop(status) && signalOf(status) !== SIGTRAP;
}

export function isExec(status: number): boolean {
  return status >> 16 === EVENT_EXEC;
}

/** At the entry or the exit of a system call. */
export function isSystemCall(status: number): boolean {
  return status >> 16 === 0 && signalOf(status) === (SIGTRAP | 0x80);
}

export function isTrapSignal(status: number): boolean {
  return status >> 16 === 0 && signalOf(status) === SIGTRAP;
}
