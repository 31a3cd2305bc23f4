import { readdirSync, readFileSync, statSync } from "node:fs";
import { release } from "node:os";
import { textIfThere } from "../../lib/if-there.ts";

/** Thread ids of a process; empty where it is no more. */
export function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [];
  }
}

/** How many threads a process has, dead leaders included: one look, however many they are. 0 where it is no more. */
export function threadCount(pid: number): number {
  return (statSync(`/proc/${pid}/task`, { throwIfNoEntry: false })?.nlink ?? 2) - 2;
}

/** One letter, proc_pid_stat(5): Z is a thread that has ended. undefined where there is none. */
export function threadState(pid: number, tid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/task/${tid}/stat`, "latin1");
    return text[text.lastIndexOf(")") + 2];
  } catch {
    return undefined;
  }
}

/** PF_IO_WORKER and PF_USER_WORKER of include/linux/sched.h, and since when they mean that. */
const HELPER_FLAGS = [
  { flag: 0x10, since: [5, 12] },
  { flag: 0x4000, since: [6, 4] },
] as const;
const [major = 0, minor = 0] = release().split(".").map(Number);
const HELPER = HELPER_FLAGS.reduce(
  (flags, { flag, since: [first, second] }) =>
    major > first || (major === first && minor >= second) ? flags | flag : flags,
  0,
);

/**
 * Whether a thread is one that the kernel works with for the process (io_uring, vhost): it
 * runs no code of the program, never has and never will.
 */
export function isKernelHelper(pid: number, tid: number): boolean {
  return (flagsOf(`/proc/${pid}/task/${tid}/stat`) & HELPER) !== 0;
}

/** State is the first field behind the name, flags the seventh: proc_pid_stat(5). */
function flagsOf(stat: string): number {
  const text = textIfThere(stat);
  return Number(text.slice(text.lastIndexOf(")") + 2).split(" ", 7)[6]);
}

/** PF_KTHREAD of include/linux/sched.h. */
const KERNEL_THREAD = 0x0020_0000;

/** Whether it is there, and is no process but a thread of the kernel. */
export function isOfKernel(pid: number): boolean {
  return (flagsOf(`/proc/${pid}/stat`) & KERNEL_THREAD) !== 0;
}

/** The id of a task that has the process's memory: its first thread, or another one where that has ended. */
export function livingTask(pid: number): number {
  if (!hasEndedAlone(threadState(pid, pid))) return pid;
  return threadsOf(pid).find((tid) => !hasEndedAlone(threadState(pid, tid))) ?? pid;
}

/** /proc/PID, or where the first thread has ended before others, the same for one of those: what tells of the memory. */
export function livingDirectory(pid: number): string {
  const task = livingTask(pid);
  return task === pid ? `/proc/${pid}` : `/proc/${pid}/task/${task}`;
}

function hasEndedAlone(state: string | undefined): boolean {
  return state === "Z" || state === "X" || state === undefined;
}

/** A field of /proc/PID/task/TID/status; undefined where there is no such thread. */
export function statusField(pid: number, tid: number, name: string): string | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/task/${tid}/status`, "latin1");
    return new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1];
  } catch {
    return undefined;
  }
}

/** The tracer of a thread, 0 where it has none. */
export function tracerOf(pid: number, tid: number): number {
  try {
    return Number(/^TracerPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/task/${tid}/status`, "latin1"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
