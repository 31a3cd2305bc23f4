import { SutureError } from "../../lib/error.ts";
import { EPERM, ESRCH, OPTION_EXEC, OPTION_SYSGOOD, PTRACE_SEIZE, ptraceNumber } from "../os/linux.ts";
import { threadState, tracerOf } from "../os/thread-list.ts";
import { takeBack } from "./parting.ts";

/** Of every thread, but for the time that it is borrowed. */
export const OPTIONS = OPTION_SYSGOOD | OPTION_EXEC;

/**
 * Makes this thread the tracer of another one, which runs on. false where it has
 * ended. Throws `ALREADY_TRACED`, `PTRACE_DENIED`.
 */
export function seize(pid: number, tid: number): boolean {
  const error = ptraceNumber(PTRACE_SEIZE, tid, 0, OPTIONS);
  if (error === 0) return true;
  const state = threadState(pid, tid);
  if (error === ESRCH || state === undefined || state === "Z" || state === "X") return false;
  if (error === EPERM && takeBack(tid)) return true;
  const where = `pid ${pid}, thread ${tid}`;
  const tracer = tracerOf(pid, tid);
  if (tracer !== 0) {
    throw new SutureError("ALREADY_TRACED", `another program traces the process: pid ${tracer}`, {
      where,
      hint: "end the debugger, or the other suture; a thread has one tracer at a time",
    });
  }
  const reason =
    error === EPERM
      ? "become root, or the process's user with CAP_SYS_PTRACE; kernel.yama.ptrace_scope may forbid it too"
      : `error number ${error}`;
  throw new SutureError("PTRACE_DENIED", "the process may not be traced", { where, hint: reason });
}
