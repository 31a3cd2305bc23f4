import { SutureError } from "../../lib/error.ts";
import type { Os } from "../os/os.ts";
import { EPERM, ESRCH } from "../os/ptrace.ts";
import { takeBack } from "./parting.ts";

/**
 * Makes this thread the tracer of another one, which runs on. false where it has
 * ended. Throws `ALREADY_TRACED`, `PTRACE_DENIED`.
 */
export function seize(pid: number, tid: number, os: Os): boolean {
  const error = os.seize(tid);
  if (error === 0) return true;
  const state = os.threadState(pid, tid);
  if (error === ESRCH || state === undefined || state === "Z" || state === "X") return false;
  if (error === EPERM && takeBack(tid, os)) return true;
  const where = `pid ${pid}, thread ${tid}`;
  const tracer = os.tracerOf(pid, tid);
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
