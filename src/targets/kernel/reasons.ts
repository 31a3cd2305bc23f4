/** Why a task has not switched, or would not, and what would help: in words, from its stack and state. */
import { functionOf, type KernelTask, objectOf } from "./tasks.ts";

/** A patched function, and the object that it is of. */
export interface PatchedName {
  readonly object: string;
  readonly name: string;
}

/** In words for a reader. */
export interface Reason {
  /** For instance `inside do_sys_poll at frame 3; asleep in schedule_timeout`. */
  readonly why: string;
  /** What lets the task switch, or that nothing does. */
  readonly help: string;
  /** Whether it may take without end, and no signal helps. */
  readonly isEndless: boolean;
}

/** The patched function that a task with this stack has to leave; undefined where it is in none. */
export function insideOf(stack: readonly string[], patched: readonly PatchedName[]): PatchedName | undefined {
  const frame = stack[patchedFrame(stack, patched)];
  return frame === undefined ? undefined : { object: objectOf(frame), name: functionOf(frame) };
}

/** The functions below which a kernel thread's own function is. */
const BELOW_THREADS = new Set(["kthread", "ret_from_fork", "ret_from_fork_asm"]);
/** Where a task waits until its vfork child has let go of its memory. */
const VFORK = new Set(["kernel_clone", "wait_for_vfork_done"]);

/** The outermost patched function on its stack, which is the one that it has to leave; -1 where there is none. */
export function patchedFrame(stack: readonly string[], patched: readonly PatchedName[]): number {
  return stack.findLastIndex((frame) =>
    patched.some(({ name, object }) => name === functionOf(frame) && object === objectOf(frame)),
  );
}

/**
 * @param patched functions that the livepatch patches
 * @param children processes that the task has made and that have not ended, for a vfork parent
 */
export function reasonOf(task: KernelTask, patched: readonly PatchedName[], children: readonly number[] = []): Reason {
  const frame = patchedFrame(task.stack, patched);
  const inside = frame < 0 ? undefined : `inside ${functionOf(task.stack[frame] as string)} at frame ${frame}`;
  const { doing, isKernelThread } = task;
  if (inside === undefined && doing === "running") {
    const why = isKernelThread ? "a kernel thread that does not sleep" : "on a processor";
    const help = isKernelThread
      ? "it switches when it sleeps outside of what is patched"
      : "it switches as soon as it enters or leaves the kernel";
    return { why, help, isEndless: false };
  }
  const does = doesNow(task);
  if (inside === undefined) {
    const why = `${NOT_SHOWN}${sleeps(doing) ? scheduler(patched) : ""}; ${does}`;
    return { why, ...notInside(task) };
  }
  if (isKernelThread) return ofKernelThread(task, frame, `${inside}; ${does}`);
  if (waitsForVfork(task)) {
    const child = children.length === 0 ? "its child" : `its child ${children.join(", ")}`;
    const why = `${inside}; in vfork, until ${child} ends or runs another program, which no signal ends`;
    return { why, help: `let ${child} go on, or end it`, isEndless: true };
  }
  return { why: `${inside}; ${does}`, help: helpFor(doing), isEndless: doing === "stopped" };
}

/** Asleep in the call by which it makes a process: a plain fork does not sleep there. */
function waitsForVfork({ stack, doing }: KernelTask): boolean {
  return doing === "uninterruptible" && stack[0] !== undefined && VFORK.has(functionOf(stack[0]));
}

/** A thread's own function is a loop that lasts as long as the thread. */
function ofKernelThread({ stack, doing }: KernelTask, frame: number, why: string): Reason {
  const below = stack[frame + 1];
  if (below !== undefined && BELOW_THREADS.has(functionOf(below)))
    return {
      why: `${why}; it is what this kernel thread does as long as it lives`,
      help: "it never leaves the function: only a reboot brings the fix",
      isEndless: true,
    };
  const help =
    doing === "running"
      ? "it switches when it has left the function"
      : "it switches when it is woken and has left the function";
  return { why, help, isEndless: false };
}

const NOT_SHOWN = "not inside a patched function as its stack shows";
const MOST_FUNCS = 4;

function sleeps(doing: KernelTask["doing"]): boolean {
  return doing === "sleeping" || doing === "uninterruptible";
}

/** /proc/PID/stack leaves out what lies in .sched.text. */
function scheduler(patched: readonly PatchedName[]): string {
  const named = patched.slice(0, MOST_FUNCS).map(({ name }) => name);
  return `, which leaves out the scheduler's: most likely inside ${named.join(" or ")} if it is one`;
}

/** The kernel looks at each task once a second. */
function notInside({ doing, isKernelThread }: KernelTask): Pick<Reason, "help" | "isEndless"> {
  const help = isKernelThread
    ? "it switches at the next look, or else when it is next woken"
    : `it switches at the next look; else ${helpFor(doing)}`;
  return { help, isEndless: doing === "stopped" };
}

function helpFor(doing: KernelTask["doing"]): string {
  return {
    running: "it switches when it leaves the kernel",
    sleeping: "a signal ends the wait: suture signal, or the kernel's own after 15 s",
    uninterruptible: "it switches when what it waits for has come",
    stopped: "let it go on: SIGCONT, or its tracer",
  }[doing];
}

function doesNow({ doing, stack }: KernelTask): string {
  const innermost = stack[0] === undefined ? "" : ` in ${functionOf(stack[0])}`;
  return {
    running: "running",
    sleeping: `asleep${innermost}`,
    uninterruptible: `asleep${innermost}, which no signal ends`,
    stopped: "stopped",
  }[doing];
}
