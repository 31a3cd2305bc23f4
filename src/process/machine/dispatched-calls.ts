/**
 * Programs whose system calls are sent to themselves as signals (syscall user dispatch), as Wine's are: no
 * thread can make one for us, since it would be the program's signal handler that gets it.
 */
import { SutureError } from "../../lib/error.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";

/** The code of the refusal, and of the error where only an exception leads out. */
export const SYSCALL_DISPATCH = "SYSCALL_DISPATCH";
const WHAT = "the program has its system calls sent to itself as signals, and ours would be among them";
const HINT = "it cannot be patched while it runs: restart it with the fixed program";

/** As an error, where a thread was to make a call and cannot. */
export function dispatched(pid: number): SutureError {
  return new SutureError(SYSCALL_DISPATCH, WHAT, { where: `pid ${pid}`, hint: HINT });
}

/** The same as a refusal, once it is where refusals are told. */
export function dispatchRefused(pid: number): Refusal {
  return refusal(SYSCALL_DISPATCH, WHAT, `pid ${pid}`, HINT);
}
