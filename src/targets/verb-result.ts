/** What became of a verb in one target. */
import type { Problem } from "../lib/error.ts";
import type { Refusal } from "../patch/refusal.ts";

/** A task that is, or was, in the way. */
export interface HolderRecord {
  readonly tid: number;
  readonly name: string;
  /** For instance `inside sdscatlen (redis-server) at frame 3; blocked in futex`. */
  readonly why: string;
  /** What lets the task go on, where there is something to say. */
  readonly help?: string | undefined;
  /** The patched function that it has to leave, where that is what it is known to be inside of. */
  readonly inside?: FunctionName | undefined;
}

/** A function by the object that it is of. */
export interface FunctionName {
  readonly object: string;
  readonly name: string;
}

/** What the verb cost a process. */
export interface CostRecord {
  /** The thread that mapped what the livepatch needs, and for how many microseconds it stood still for that. */
  readonly mapping?: { readonly tid: number; readonly stoppedUs: number };
  /** Stops of all threads, microseconds each, in order. */
  readonly stopsUs: readonly number[];
  /** How many of them were tries to switch. */
  readonly tries: number;
  /** How many threads there were. */
  readonly threads: number;
  /** Threads that were stopped one by one: how often, and microseconds in all. */
  readonly single: readonly { readonly tid: number; readonly stops: number; readonly stoppedUs: number }[];
}

/** The same shape for the kernel and for processes, so that all are told in one way; --json prints it. */
export interface VerbResult {
  /** undefined for the running kernel. */
  readonly pid?: number | undefined;
  /** The program's, or the kernel's with its release. */
  readonly name: string;
  /**
   * `unchanged`: it was so already. `refused`: nothing was changed. `reversed`:
   * time was over, and all is as it was before. `pending`: the transition goes on.
   * `failed`: an error, told in `problems`.
   */
  readonly outcome: "done" | "unchanged" | "refused" | "reversed" | "pending" | "failed";
  readonly problems: readonly (Refusal | Problem)[];
  readonly notes: readonly string[];
  readonly holders: readonly HolderRecord[];
  /** The kernel stops nothing for a transition. */
  readonly cost?: CostRecord | undefined;
  /** Of an unload: bytes that stay in memory, since something may have addresses of them. */
  readonly kept?: number;
}
