/**
 * Which system call a thread is in that the kernel has wait on by restart_syscall(2). From its second
 * interruption on the registers do not say that any more; but whoever has the thread do something else needs
 * to know it, for the call to be made again should we end amid that: what returns from a signal can wait on no more.
 *
 * It is known from an earlier stop, or the program's code says it; else the thread is let wait on once more, and
 * the kernel tells where it sleeps. It executes nothing of the program meanwhile but the instruction of the call,
 * and if we are killed it just waits on.
 */
import { EXIT, SutureError } from "../../lib/error.ts";
import type { ProcessMemory } from "../os/memory.ts";
import { nativeLinux } from "../os/native.ts";
import type { Tracee } from "./tracee.ts";
import type { Tracees } from "./tracees.ts";

/** The code of the error where the reason is one thread's alone: another one may do. */
export const CALL_UNKNOWN = "CALL_UNKNOWN";

/**
 * Has the thread's `waitsOnBy` say which call it is in. The thread stands still, before and afterwards, if
 * it has not ended, but may have got a signal or to the end of its call. Throws `CALL_UNKNOWN`.
 */
export function findCall(tracee: Tracee, tracees: Tracees, memory: ProcessMemory): void {
  const { systemCalls, systemCallCode, callThatCodeSays } = nativeLinux();
  const isUnknown = (): boolean => tracee.waitsOnBy() === systemCalls.restartSyscall;
  if (!isUnknown()) return;
  const pc = tracee.registers()?.pc ?? 0;
  const code = memory.tryRead(pc - systemCallCode, systemCallCode);
  const said = code && callThatCodeSays(code);
  if (said === undefined) tracees.letWaitOn(tracee);
  else tracee.learnCall(said);
  if (!isUnknown()) return;
  throw new SutureError(CALL_UNKNOWN, "a thread waits in a system call, and the kernel does not tell in which", {
    where: `pid ${tracees.pid}, thread ${tracee.tid}`,
    hint: "try again when it has gone on; where threads sleep is asked of /proc/PID/wchan",
    exit: EXIT.refused,
  });
}
