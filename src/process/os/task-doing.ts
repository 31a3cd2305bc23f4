/** What a thread of a process is doing, as /proc tells without a stop. */
import { readFileSync } from "node:fs";
import type { Doing } from "../../core/machine.ts";
import { threadState } from "./thread-list.ts";

/** System calls in which threads wait: arch/x86/entry/syscalls/syscall_64.tbl. */
const NAMES: { readonly [number: number]: string } = {
  0: "read",
  1: "write",
  7: "poll",
  23: "select",
  34: "pause",
  35: "nanosleep",
  43: "accept",
  44: "sendto",
  45: "recvfrom",
  46: "sendmsg",
  47: "recvmsg",
  61: "wait4",
  73: "flock",
  74: "fsync",
  128: "rt_sigtimedwait",
  130: "rt_sigsuspend",
  202: "futex",
  208: "io_getevents",
  219: "restart_syscall",
  230: "clock_nanosleep",
  232: "epoll_wait",
  247: "waitid",
  270: "pselect6",
  271: "ppoll",
  281: "epoll_pwait",
  288: "accept4",
  426: "io_uring_enter",
  441: "epoll_pwait2",
};

/** How many tasks are looked at to see whether a process wants the processors: the first ones are its oldest. */
const TASKS_ASKED = 8;

/** Whether a process has work for processors that it shares with us, as far as it can be told in a moment. */
export function wantsProcessors(pid: number, tasks: readonly number[]): boolean {
  return runningTasks() > 1 && tasks.slice(0, TASKS_ASKED).some((task) => threadState(pid, task) === "R");
}

/** How many tasks of the whole machine have a processor or wait for one; ours is among them. */
function runningTasks(): number {
  const [, running = "0"] = / (\d+)\/\d+ /.exec(readFileSync("/proc/loadavg", "latin1")) ?? [];
  return Number(running);
}

export function doingOf(pid: number, task: number): Doing {
  try {
    const text = readFileSync(`/proc/${pid}/task/${task}/syscall`, "latin1");
    const number = Number.parseInt(text, 10);
    if (Number.isNaN(number) || number < 0) return { kind: "running" };
    return { kind: "blocked", in: `the system call ${NAMES[number] ?? `number ${number}`}` };
  } catch {
    return { kind: "running" };
  }
}
