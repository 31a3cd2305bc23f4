/** How long to wait for tasks that are in the way. */
import { systemGone } from "./gone.ts";
import type { Machine } from "./machine.ts";

/** When to give up waiting. */
export interface Limit {
  /** In terms of the machine's clock; may be infinite. */
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
}

/** How long an abort may go unseen, in milliseconds. */
const ATTENTION_MS = 50;

/** Whether time is over or the wish was aborted: for the core both mean to stop waiting. */
export function isOver(machine: Machine, { deadline, signal }: Limit): boolean {
  return signal?.aborted === true || machine.now() >= deadline;
}

/** When to wake up at the latest, where nothing happens until `wanted`. */
export function wakeUp(machine: Machine, { deadline, signal }: Limit, wanted: number): number {
  const attention = signal === undefined ? 1000 : ATTENTION_MS;
  return Math.min(wanted, deadline, machine.now() + attention);
}

/** Waits, and notices that the system is no more. */
export async function rest(machine: Machine, limit: Limit, ms: number): Promise<void> {
  const until = machine.now() + ms;
  while (machine.now() < until && !isOver(machine, limit)) {
    const event = await machine.next(wakeUp(machine, limit, until));
    if (event.kind === "gone") throw systemGone(event.why);
    if (event.kind === "left") machine.resume(event.task);
  }
}
