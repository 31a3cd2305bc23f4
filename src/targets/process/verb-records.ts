/** What the core tells of a transition, as records of a verb's result. */
import { readFileSync } from "node:fs";
import type { TransitionCost } from "../../core/cost.ts";
import { describeHolder, type Holder, NO_TASK, siteParts } from "../../core/holder.ts";
import type { CostRecord, FunctionName, HolderRecord } from "../verb-result.ts";

/** `threads` is the most that any stop found. */
export function costRecord({ stops, tries, tasks }: TransitionCost): CostRecord {
  return {
    stopsUs: stops.map(({ stoppedUs }) => stoppedUs),
    tries,
    threads: Math.max(0, ...stops.map((stop) => stop.tasks)),
    single: [...tasks].map(([tid, cost]) => ({ tid, ...cost })),
  };
}

/** A stack that is no thread's goes by the process's own number. */
export function holderRecord(pid: number, holder: Holder): HolderRecord {
  if (holder.task === NO_TASK) return { tid: pid, name: "no thread", why: describeHolder(holder) };
  return { tid: holder.task, name: taskName(pid, holder.task), why: describeHolder(holder), inside: insideOf(holder) };
}

function insideOf({ hold }: Holder): FunctionName | undefined {
  const parts = hold.kind === "function" ? siteParts(hold.site) : undefined;
  return parts === undefined ? undefined : { object: parts.object, name: parts.name };
}

/** Of a process of its own that shares the memory, too. */
function taskName(pid: number, tid: number): string {
  for (const directory of [`/proc/${pid}/task/${tid}`, `/proc/${tid}`]) {
    try {
      return readFileSync(`${directory}/comm`, "utf8").trim();
    } catch {
      // Not there.
    }
  }
  return "a thread that has ended";
}
