import type { StopPoint } from "../os/breakpoint.ts";
import { PTRACE_CONT, PTRACE_SYSCALL } from "../os/linux.ts";

/** One thread that we trace. */
export interface Tracee {
  readonly tid: number;
  /** The process that it is a thread of: mostly the one that is traced, and always one with its memory. */
  readonly pid: number;
  /**
   * `running`: nothing of ours stands in its way, though job control may. `asked`: it
   * was told to stop; it may finish what it does in the kernel, and executes no more
   * of the program. `stopped`: it stands still until we let it go. `ended`: the
   * first thread, when it has ended before the others; there is nothing to stop.
   */
  state: "running" | "asked" | "stopped" | "ended";
  /** It was asked to stop before it is needed. */
  askedEarly: boolean;
  /** Job control has stopped the process (SIGSTOP and the like): it is for SIGCONT to let it run. */
  groupStop: boolean;
  /** It stands at its stop point, and goes on when it is let go by name. */
  held: boolean;
  /** That it came to its stop point was not told yet. */
  hit: boolean;
  stopPoint: StopPoint | undefined;
  /** It has had a stop point, whose signal may still be on its way. */
  wasWatched: boolean;
  /** The function that it was made to call, until that has returned; then what it returned, 32 bits, signed. */
  call: BorrowedCall | number | undefined;
  /** `struct user_regs_struct` of this stop. */
  readonly registers: Buffer;
  registersKnown: boolean;
  /** The system call that this stop has interrupted was seen to: `putBackInterrupted`. */
  callPutBack: boolean;
}

/** How it is known that the function has returned: at the entry of a system call these registers are so. */
export interface BorrowedCall {
  readonly rip: number;
  readonly rsp: number;
}

export const REGISTERS_SIZE = 216;

export function newTracee(tid: number, pid: number): Tracee {
  return {
    tid,
    pid,
    state: "running",
    askedEarly: false,
    groupStop: false,
    held: false,
    hit: false,
    stopPoint: undefined,
    wasWatched: false,
    call: undefined,
    registers: Buffer.from(new ArrayBuffer(REGISTERS_SIZE)),
    registersKnown: false,
    callPutBack: false,
  };
}

/** It runs: what was seen of it in a stop is no more. */
export function forgetStop(tracee: Tracee): void {
  tracee.registersKnown = false;
  tracee.callPutBack = false;
}

/** The request that lets it run on. From one system call to the next, where a call is to be seen to return. */
export function wayOn({ call }: Tracee): number {
  return typeof call === "object" ? PTRACE_SYSCALL : PTRACE_CONT;
}
