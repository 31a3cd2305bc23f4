/** The priority of this thread: sched_setscheduler(2). */
import { libc } from "./libc.ts";

const SCHED_NORMAL = 0;
const SCHED_FIFO = 1;
const RESET_ON_FORK = 0x4000_0000;

/** `struct sched_param`: the priority. */
const lowest = new Int32Array(new ArrayBuffer(64));
lowest[0] = 1;
const none = new Int32Array(new ArrayBuffer(64));

let isOurs: boolean | undefined;

/** Whether the thread's policy was the usual one at first: another one was given by somebody, and stays. */
function mayChange(): boolean {
  isOurs ??= (libc().schedGetscheduler(0) & ~RESET_ON_FORK) === SCHED_NORMAL;
  return isOurs;
}

/**
 * Whether this thread now has a fixed real-time priority: threads that it lets go
 * cannot take its processor, while others still stand.
 */
export function becomeRealTime(): boolean {
  return mayChange() && libc().schedSetscheduler(0, SCHED_FIFO | RESET_ON_FORK, lowest) === 0;
}

/** Takes `becomeRealTime` back; a thread that had another priority to begin with keeps it. */
export function becomeNormal(): void {
  if (mayChange()) libc().schedSetscheduler(0, RESET_ON_FORK, none);
}
