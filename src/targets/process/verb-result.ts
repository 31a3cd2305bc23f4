/** What became of a verb in one process. */

import { readFileSync } from "node:fs";
import type { TransitionCost } from "../../core/cost.ts";
import { describeHolder, type Holder, NO_TASK } from "../../core/holder.ts";
import type { Problem } from "../../lib/error.ts";
import type { Refusal } from "../../patch/refusal.ts";

/** A task that is, or was, in the way. */
export interface HolderRecord {
  readonly tid: number;
  readonly name: string;
  /** For instance `inside sdscatlen (redis-server) at frame 3; blocked in futex`. */
  readonly why: string;
}

/** What the verb cost the process. */
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

export interface VerbResult {
  readonly pid: number;
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
  readonly cost?: CostRecord | undefined;
  /** Of an unload: bytes that stay mapped, since the program may have addresses of them. */
  readonly kept?: number;
}

export function costRecord({ stops, tries, tasks }: TransitionCost): CostRecord {
  return {
    stopsUs: stops.map(({ stoppedUs }) => stoppedUs),
    tries,
    threads: Math.max(0, ...stops.map((stop) => stop.tasks)),
    single: [...tasks].map(([tid, cost]) => ({ tid, ...cost })),
  };
}

export function holderRecord(pid: number, holder: Holder): HolderRecord {
  if (holder.task === NO_TASK) return { tid: pid, name: "no thread", why: describeHolder(holder) };
  return { tid: holder.task, name: taskName(pid, holder.task), why: describeHolder(holder) };
}

function taskName(pid: number, tid: number): string {
  try {
    return readFileSync(`/proc/${pid}/task/${tid}/comm`, "utf8").trim();
  } catch {
    return "a thread that has ended";
  }
}
