/** Has tasks pass the border between kernel and user space, where the kernel switches them. */
import { SutureError } from "../../lib/error.ts";
import { TracedProcess } from "../../process/tracer/traced-process.ts";
import type { KernelHolder } from "./holders.ts";

/**
 * Stops a task by ptrace(2) and lets it go: what it sleeps in ends, it comes to
 * the border, and the system call is made again, also such as the kernel itself
 * would have fail with EINTR. False where it cannot be stopped, or has ended.
 */
export function wake({ pid, tid, isKernelThread, doing }: KernelHolder): boolean {
  if (isKernelThread || doing === "uninterruptible") return false;
  try {
    using process = new TracedProcess(pid);
    return process.stoppedTask(tid, () => process.registers(tid)) !== undefined;
  } catch (error) {
    if (error instanceof SutureError) return false;
    throw error;
  }
}
