/** The tasks that hold a transition of the kernel up, and why, by the patch_state, stack and stat files of /proc. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { HolderRecord } from "../verb-result.ts";
import { readIfThere, type SysfsPatch } from "./sysfs.ts";

/** A task that has not switched yet: by now it may have, or have ended. */
export interface KernelHolder extends HolderRecord {
  readonly pid: number;
  /** A kernel thread, which no signal reaches. */
  readonly isKernelThread: boolean;
  readonly doing: "running" | "sleeping" | "uninterruptible" | "stopped";
  /** Innermost frame first, as `function+0x12/0x34`; empty where it may not be read. */
  readonly stack: readonly string[];
}

/** What /proc has of a task, each file as it is. */
export interface TaskFiles {
  readonly pid: string;
  readonly tid: string;
  readonly comm: string;
  readonly stat: string;
  /** Empty where it may not be read. */
  readonly stack: string;
}

/** What `patch_state` reads of the tasks that have not switched yet. */
export function stateBehind({ enabled }: Pick<SysfsPatch, "enabled">): string {
  // 0 unpatched, 1 patched, -1 no transition.
  return enabled ? "0" : "1";
}

/** Why a task that is behind has not switched. */
export function holderOf(task: TaskFiles, { objects }: Pick<SysfsPatch, "objects">): KernelHolder {
  const funcs = new Set(objects.flatMap((object) => object.funcs.map(({ name }) => name)));
  const stack = framesOf(task.stack);
  const state = taskState(task.stat);
  const [pid, tid] = [Number(task.pid), Number(task.tid)];
  return { pid, tid, name: task.comm.trim(), ...state, stack, why: whyOf(stack, state, funcs) };
}

/**
 * Tasks that are not yet in the universe that the patch's transition goes to.
 * Only root may read stacks. `root` is the root of the file system.
 */
export async function findHolders(root: string, patch: SysfsPatch): Promise<KernelHolder[]> {
  const behind = stateBehind(patch);
  const proc = join(root, "proc");
  const holders: KernelHolder[] = [];
  for (const pid of await numbersIn(proc)) {
    for (const tid of await numbersIn(join(proc, pid, "task"))) {
      const task = join(proc, pid, "task", tid);
      if ((await readIfThere(join(task, "patch_state")))?.trim() !== behind) continue;
      const stack = await readFile(join(task, "stack"), "utf8").catch(() => "");
      const [stat = "", comm = ""] = [await readIfThere(join(task, "stat")), await readIfThere(join(task, "comm"))];
      holders.push(holderOf({ pid, tid, comm, stat, stack }, patch));
    }
  }
  return holders;
}

/** PF_KTHREAD of include/linux/sched.h. */
const PF_KTHREAD = 0x0020_0000;

type TaskState = Pick<KernelHolder, "isKernelThread" | "doing">;

/** Source: do_task_stat in fs/proc/array.c; the name, the second field, may hold anything. */
function taskState(stat: string): TaskState {
  const [state = "", , , , , , flags = "0"] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const doing =
    state === "R" ? "running" : state === "D" ? "uninterruptible" : /[Tt]/.test(state) ? "stopped" : "sleeping";
  return { isKernelThread: (Number(flags) & PF_KTHREAD) !== 0, doing };
}

const NOT_SHOWN = "not inside a patched function as its stack shows";
const MOST_FUNCS = 4;

/** The outermost patched function is the one that has to be left. */
function whyOf(stack: readonly string[], { doing, isKernelThread }: TaskState, funcs: ReadonlySet<string>): string {
  const frame = stack.findLastIndex((each) => funcs.has(functionOf(each)));
  const innermost = stack[0] === undefined ? "" : ` in ${functionOf(stack[0])}`;
  const does = {
    running: "running",
    sleeping: `asleep${innermost}`,
    uninterruptible: `asleep${innermost}, which no signal ends`,
    stopped: "stopped",
  }[doing];
  if (frame >= 0) return `inside ${functionOf(stack[frame] as string)} at frame ${frame}; ${does}`;
  if (doing === "running") return isKernelThread ? "a kernel thread that does not sleep" : "on a processor";
  if (doing !== "sleeping" && doing !== "uninterruptible") return `${NOT_SHOWN}; ${does}`;
  // /proc/PID/stack leaves out what lies in .sched.text.
  const named = [...funcs].slice(0, MOST_FUNCS).join(" or ");
  return `${NOT_SHOWN}, which leaves out the scheduler's: most likely inside ${named} if it is one; ${does}`;
}

/** Of `function+0x12/0x34 [module]`. */
function functionOf(frame: string): string {
  return frame.replace(/\+0x.*$/, "");
}

async function numbersIn(directory: string): Promise<string[]> {
  return (await readdir(directory).catch(() => [])).filter((name) => /^\d+$/.test(name));
}

/** Lines are `[<0>] function+0x12/0x34`. */
function framesOf(stack: string): string[] {
  const lines = stack.split("\n").map((line) => line.replace(/^\[<[0-9a-f]+>\] /, "").trim());
  return lines.filter((line) => line !== "");
}

/** What can be done about tasks that did not switch in time. */
export function adviceFor(holders: readonly KernelHolder[], patch: string): string {
  if (holders.some(({ isKernelThread }) => isKernelThread))
    return "a kernel thread switches when it leaves the function: give more --timeout; where it never does, only a reboot brings the fix";
  if (holders.some(({ doing }) => doing === "stopped")) return "let the stopped task go on (SIGCONT), and try again";
  if (holders.some(({ doing }) => doing === "uninterruptible"))
    return "give more --timeout: such a task goes on when what it waits for has come";
  return `give more --timeout, or load it with --keep and then: suture signal ${patch}`;
}
