/** Why a thread does not stop. */
import { Unstoppable } from "../../core/unstoppable.ts";
import type { Os } from "../os/os.ts";
import type { Tracee } from "./tracee.ts";

/**
 * The error for a thread that did not stop in time, with what the system tells of the
 * reason: asked once and at the end.
 */
export function unstoppable({ pid, tid }: Tracee, os: Os): Unstoppable {
  const where = `pid ${pid}, thread ${tid}`;
  const child = os.childWaitedFor(pid, tid);
  if (child !== undefined) {
    const what = `a thread waits for its child of vfork, ${child.name} (${child.pid}), which runs in the same memory until it executes a program or ends`;
    return new Unstoppable(tid, what, { where, hint: `try again once process ${child.pid} has` });
  }
  return new Unstoppable(tid, "a thread does not stop: it sleeps in the kernel and cannot be woken", {
    where,
    hint: "try again later; waiting for a disk or for a network file system does this",
  });
}
