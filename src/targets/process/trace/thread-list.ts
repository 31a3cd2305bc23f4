import { readdirSync, readFileSync, statSync } from "node:fs";

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
