import type { Breakpoint } from "./breakpoint.ts";

/** One thread that we trace. */
export interface Tracee {
  readonly tid: number;
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
  /** It stands at its breakpoint, and goes on when it is let go by name. */
  held: boolean;
  /** That it came to its breakpoint was not told yet. */
  hit: boolean;
  breakpoint: Breakpoint | undefined;
  /** It has had a breakpoint, whose signal may still be on its way. */
  wasWatched: boolean;
  /** `struct user_regs_struct` of this stop. */
  readonly registers: Buffer;
  registersKnown: boolean;
}

export const REGISTERS_SIZE = 216;

export function newTracee(tid: number): Tracee {
  return {
    tid,
    state: "running",
    askedEarly: false,
    groupStop: false,
    held: false,
    hit: false,
    breakpoint: undefined,
    wasWatched: false,
    registers: Buffer.from(new ArrayBuffer(REGISTERS_SIZE)),
    registersKnown: false,
  };
}
