/**
 * Functions that a kernel thread may be in for as long as it lives, or sleep in:
 * a transition waits until it has left them. Told by the code of the image: what
 * is handed to those who create threads is a thread's main loop, and a function
 * that such a loop calls itself, and that soon comes to the scheduler, is one in
 * which the thread sleeps.
 */
import type { CallScan } from "../../arch/kernel-abi.ts";
import { isBranch } from "../../diff/hooks.ts";
import type { ObjectDiff } from "../../diff/object-diff.ts";
import type { Atom } from "../../diff/unit.ts";
import type { Cache } from "../../lib/cache.ts";
import type { Note } from "../../patch/metadata.ts";
import type { ShippedVmlinux } from "./match/shipped-vmlinux.ts";

/** To be raised when the same image is read otherwise. */
const FORMAT = "2";

const CREATORS = [
  "kthread_create_on_node",
  "kthread_create_on_cpu",
  "kernel_thread",
  "user_mode_thread",
  "create_io_thread",
];
const SCHEDULER = "__schedule";
/** They give way for a moment and sleep for nothing, or end the thread. */
const PREEMPTION = /^(preempt_schedule|__cond_resched|.*preempt|do_task_dead$|do_exit$|kthread_exit$)/;
/** The scheduler as the idle loop calls it. */
const IDLE_SCHEDULER = "schedule_idle";
/** Calls from the sleeping function to the scheduler: schedule_timeout, schedule, __schedule. */
const DEPTH = 3;

/** By name. */
interface Waiting {
  /** Main loops of threads. */
  readonly loops: readonly string[];
  /** What sleeps, and a main loop that calls it. */
  readonly sleepers: Readonly<Record<string, string>>;
  /** The idle loop, and who runs it. */
  readonly idle: readonly string[];
}

/** Notes for the functions of vmlinux that a livepatch patches. */
export async function transitionNotes(
  functions: readonly string[],
  vmlinux: ShippedVmlinux,
  cache: Cache,
): Promise<Note[]> {
  if (functions.length === 0) return [];
  const { loops, sleepers, idle } = await waitingThreads(vmlinux, cache);
  return functions.flatMap((name) => {
    if (loops.includes(name)) return [note(name, IS_LOOP)];
    if (idle.includes(name))
      return [note(name, "is of the idle loop, in which each processor may be when it switches")];
    const thread = Object.hasOwn(sleepers, name) ? sleepers[name] : undefined;
    if (thread === undefined) return [];
    return [note(name, `is where kernel threads sleep, ${thread} for instance, and leave it when they are woken`)];
  });
}

const IS_LOOP = "is a kernel thread's main function, which the thread leaves when it ends";

/** The same for the functions of a module, by its unit's own code: those that it hands to who creates threads. */
export function transitionNotesOf({ original, selection }: ObjectDiff): Note[] {
  const loops = new Set<Atom>();
  for (const atom of original.atoms) {
    if (atom.kind !== "function") continue;
    let last: Atom | undefined;
    for (const reference of atom.references.toSorted((a, b) => a.offset - b.offset)) {
      const { target } = reference;
      if (target.kind === "atom" && target.atom.kind === "function" && !isBranch(atom, reference)) last = target.atom;
      else if (target.kind === "external" && CREATORS.includes(target.name) && last !== undefined) loops.add(last);
    }
  }
  return selection.funcs.filter((func) => loops.has(func.original)).map(({ name }) => note(name, IS_LOOP));
}

function note(name: string, why: string): Note {
  return {
    code: "TRANSITION_MAY_NOT_END",
    text: `${name} ${why}: the livepatch may not be in force everywhere for a long time; rehearse it, and patch a function that is called from there instead`,
  };
}

async function waitingThreads(vmlinux: ShippedVmlinux, cache: Cache): Promise<Waiting> {
  const entry = cache.entry("waiting-threads", [FORMAT, vmlinux.buildId]);
  const kept = parsed(await entry.read());
  if (kept !== undefined) return kept;
  const found = readThreads(vmlinux);
  await entry.write(JSON.stringify(found));
  return found;
}

function parsed(kept: Buffer | undefined): Waiting | undefined {
  if (kept === undefined) return undefined;
  try {
    const { loops, sleepers, idle } = JSON.parse(kept.toString()) as Partial<Waiting>;
    const isWhole = Array.isArray(loops) && Array.isArray(idle) && typeof sleepers === "object" && sleepers !== null;
    return isWhole ? { loops, sleepers, idle } : undefined;
  } catch {
    return undefined;
  }
}

function readThreads(vmlinux: ShippedVmlinux): Waiting {
  const { calls } = vmlinux.arch.kernel;
  return calls === undefined ? { loops: [], sleepers: {}, idle: [] } : threadsBy(calls, vmlinux);
}

function threadsBy({ directCalls, firstArguments }: CallScan, vmlinux: ShippedVmlinux): Waiting {
  const code = vmlinux.code();
  const places = (names: readonly string[]) => new Set(names.flatMap((name) => [...vmlinux.places(name)]));
  const creators = places(CREATORS);
  const loops = new Map<number, string>();
  for (const { base, bytes } of code)
    for (const { at } of directCalls(bytes, base, (target) => creators.has(target))) {
      const start = firstArguments(bytes, base, at).find((place) => vmlinux.symbolsAt(place).length > 0);
      const name = start === undefined ? undefined : vmlinux.symbolsAt(start)[0]?.name;
      if (start !== undefined && name !== undefined) loops.set(start, name);
    }
  const reaching = reachingScheduler(vmlinux, directCalls, places([SCHEDULER]), DEPTH);
  const idle = reachingScheduler(vmlinux, directCalls, places([IDLE_SCHEDULER]), 2);
  const sleepers: Record<string, string> = {};
  for (const [start, loop] of loops) {
    const bytes = vmlinux.bytes(start, vmlinux.extentOf(start));
    if (bytes === undefined) continue;
    for (const { target } of directCalls(bytes, start, (place) => reaching.has(place) && !loops.has(place)))
      for (const { name } of vmlinux.symbolsAt(target)) sleepers[name] ??= loop;
  }
  const idleNames = [...idle].flatMap((place) => vmlinux.symbolsAt(place).map(({ name }) => name));
  return { loops: [...new Set(loops.values())].sort(), sleepers, idle: idleNames.sort() };
}

/** Functions from which at most `most` direct calls lead to the scheduler, other than by preemption. */
function reachingScheduler(
  vmlinux: ShippedVmlinux,
  directCalls: CallScan["directCalls"],
  scheduler: ReadonlySet<number>,
  most: number,
): Set<number> {
  const reaching = new Set<number>();
  let wanted: ReadonlySet<number> = scheduler;
  for (let depth = 0; depth < most && wanted.size > 0; depth++) {
    const callers = new Set<number>();
    const targets = wanted;
    for (const { base, bytes } of vmlinux.code())
      for (const { at } of directCalls(bytes, base, (target) => targets.has(target))) {
        const caller = vmlinux.functionAt(base + at);
        if (caller === undefined || PREEMPTION.test(caller.name) || reaching.has(caller.at)) continue;
        reaching.add(caller.at);
        callers.add(caller.at);
      }
    wanted = callers;
  }
  return reaching;
}
