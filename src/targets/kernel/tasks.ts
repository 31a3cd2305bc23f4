/** The tasks of a running kernel, as /proc shows them: any may end between two looks. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { readIfThere } from "./sysfs.ts";

/** One task at one moment. */
export interface KernelTask {
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  /** A kernel thread, which no signal reaches. */
  readonly isKernelThread: boolean;
  readonly doing: "running" | "sleeping" | "uninterruptible" | "stopped";
  /** Innermost frame first, as `function+0x12/0x34`, with ` [module]`; empty where it may not be read. */
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

/** What the files say. */
export function taskOf({ pid, tid, comm, stat, stack }: TaskFiles): KernelTask {
  return { pid: Number(pid), tid: Number(tid), name: comm.trim(), ...taskState(stat), stack: framesOf(stack) };
}

/** Where the files of a task are. */
export interface TaskDirectory {
  readonly pid: string;
  readonly tid: string;
  readonly path: string;
}

/** Of all tasks. `root` is the root of the file system. */
export async function taskDirectories(root: string): Promise<TaskDirectory[]> {
  const proc = join(root, "proc");
  const found: TaskDirectory[] = [];
  for (const pid of await numbersIn(proc))
    for (const tid of await numbersIn(join(proc, pid, "task")))
      found.push({ pid, tid, path: join(proc, pid, "task", tid) });
  return found;
}

/** Reads the files of one task; its stack takes root. */
export async function readTask({ pid, tid, path }: TaskDirectory): Promise<KernelTask> {
  const stack = await readFile(join(path, "stack"), "utf8").catch(() => "");
  const [stat = "", comm = ""] = [await readIfThere(join(path, "stat")), await readIfThere(join(path, "comm"))];
  return taskOf({ pid, tid, comm, stat, stack });
}

/** Its stack alone; empty where it may not be read. */
export async function readStack({ path }: TaskDirectory): Promise<string[]> {
  return framesOf(await readFile(join(path, "stack"), "utf8").catch(() => ""));
}

/** The processes that a task has made, and that have not ended. */
export async function childrenOf({ path }: TaskDirectory): Promise<number[]> {
  const text = (await readIfThere(join(path, "children"))) ?? "";
  return text.split(" ").flatMap((pid) => (/^\d+$/.test(pid) ? [Number(pid)] : []));
}

/** PF_KTHREAD of include/linux/sched.h. */
const PF_KTHREAD = 0x0020_0000;

/** Source: do_task_stat in fs/proc/array.c; the name, the second field, may hold anything. */
function taskState(stat: string): Pick<KernelTask, "isKernelThread" | "doing"> {
  const [state = "", , , , , , flags = "0"] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const doing =
    state === "R" ? "running" : state === "D" ? "uninterruptible" : /[Tt]/.test(state) ? "stopped" : "sleeping";
  return { isKernelThread: (Number(flags) & PF_KTHREAD) !== 0, doing };
}

/** Of `function+0x12/0x34 [module]`: its name. */
export function functionOf(frame: string): string {
  return frame.replace(/\+0x.*$/, "");
}

/** The object that a frame's function is of: `vmlinux`, or a module's name. */
export function objectOf(frame: string): string {
  return /\[([^\]]+)\]$/.exec(frame)?.[1] ?? "vmlinux";
}

async function numbersIn(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  return names.filter((name) => /^\d+$/.test(name));
}

/** Lines are `[<0>] function+0x12/0x34`. */
function framesOf(stack: string): string[] {
  const lines = stack.split("\n").map((line) => line.replace(/^\[<[0-9a-f]+>\] /, "").trim());
  return lines.filter((line) => line !== "");
}
