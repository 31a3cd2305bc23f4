/** What a thread of a process is doing, as /proc tells without a stop. */
import { readFileSync } from "node:fs";
import type { Doing } from "../../core/machine.ts";
import { nativeLinux } from "./native.ts";
import { threadState } from "./thread-list.ts";

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

/** What cannot be told, of a task that has ended too, counts as running. */
export function doingOf(pid: number, task: number): Doing {
  try {
    const text = readFileSync(`/proc/${pid}/task/${task}/syscall`, "latin1");
    const number = Number.parseInt(text, 10);
    if (Number.isNaN(number) || number < 0) return { kind: "running" };
    return { kind: "blocked", in: `the system call ${nativeLinux().waitingCalls.get(number) ?? `number ${number}`}` };
  } catch {
    return { kind: "running" };
  }
}
