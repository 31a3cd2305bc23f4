/** Who would hold up the transition to a livepatch that is not loaded yet, from the stacks of all tasks, sampled for a moment. */
import { setTimeout as wait } from "node:timers/promises";
import type { KernelHolder } from "./holders.ts";
import { Kallsyms } from "./kallsyms.ts";
import { insideOf, type PatchedName, patchedFrame, type Reason, reasonOf } from "./reasons.ts";
import { childrenOf, type KernelTask, readStack, readTask, type TaskDirectory, taskDirectories } from "./tasks.ts";

/** What a transition that began now would wait for. */
export interface Forecast {
  /** Tasks that were inside a patched function at each look. */
  readonly holders: readonly KernelHolder[];
  /** Of these, threads of the kernel's own that will not leave it as long as they live. */
  readonly never: readonly KernelHolder[];
  /** In words, the worst first; none where nobody was seen inside. */
  readonly notes: readonly string[];
}

/** Milliseconds between two looks; a look itself takes some 20 µs a task. */
const BETWEEN_MS = 120;
const LOOKS = 3;

/** Tells what is seen, and no more. `root` is the root of the file system. */
export async function forecast(root: string, patched: readonly PatchedName[]): Promise<Forecast> {
  if (patched.length === 0) return { holders: [], never: [], notes: [] };
  const seen = new Map<
    string,
    { readonly directory: TaskDirectory; readonly task: KernelTask; readonly looks: number }
  >();
  let shown = false;
  for (let look = 0; look < LOOKS; look++) {
    if (look > 0) await wait(BETWEEN_MS);
    for (const directory of await taskDirectories(root)) {
      // This one is seen at what it does to look.
      if (directory.tid === String(process.pid)) continue;
      const stack = await readStack(directory);
      if (stack.length > 0) shown = true;
      if (patchedFrame(stack, patched) < 0) continue;
      const task = { ...(await readTask(directory)), stack };
      seen.set(directory.tid, { directory, task, looks: (seen.get(directory.tid)?.looks ?? 0) + 1 });
    }
  }
  if (!shown)
    return {
      holders: [],
      never: [],
      notes: ["who would hold the transition up is not known: only root may read stacks"],
    };
  const all = [...seen.values()];
  const held: Held[] = [];
  for (const { directory, task, looks } of all)
    if (looks === LOOKS) held.push({ task, reason: reasonOf(task, patched, await childrenOf(directory)) });
  const holderOf = ({ task, reason: { why, help } }: Held): KernelHolder => {
    return { ...task, why, help, inside: insideOf(task.stack, patched) };
  };
  return {
    holders: held.map(holderOf),
    never: held.filter(({ task, reason }) => task.isKernelThread && reason.isEndless).map(holderOf),
    notes: [...notesOf(held), ...passing(all.length - held.length), ...(await schedulers(root, patched))],
  };
}

interface Held {
  readonly task: KernelTask;
  readonly reason: Reason;
}

/** Those in .sched.text are left out of /proc/PID/stack. */
async function schedulers(root: string, patched: readonly PatchedName[]): Promise<string[]> {
  const names = new Set(patched.filter(({ object }) => object === "vmlinux").map(({ name }) => name));
  const kallsyms = names.size === 0 ? undefined : await Kallsyms.read(root);
  const symbols = kallsyms?.named(new Set([...names, ...SCHEDULER])) ?? [];
  const [from, to] = SCHEDULER.map((name) => symbols.find((symbol) => symbol.name === name)?.address);
  if (from === undefined || to === undefined) return [];
  const inside = symbols.filter(({ name, address }) => names.has(name) && address >= from && address < to);
  return [...new Set(inside.map(({ name }) => name))].map(
    (name) =>
      `${name} is the scheduler's, and shown in no stack: who is inside it is not known, and may be every task that sleeps`,
  );
}

const SCHEDULER = ["__sched_text_start", "__sched_text_end"];

function notesOf(held: readonly Held[]): string[] {
  const endless = held.filter(({ reason }) => reason.isEndless);
  const others = held.length - endless.length;
  return [
    ...(endless.length === 0
      ? []
      : [
          `the transition would not end by itself: ${tasks(endless.length)} inside a patched function will not leave it`,
        ]),
    ...(others === 0
      ? []
      : [`the transition would wait for ${tasks(others)} inside a patched function, 15 s and more`]),
  ];
}

function passing(count: number): string[] {
  return count === 0
    ? []
    : [`${tasks(count)} went through a patched function while it was looked: the transition may take some seconds`];
}

function tasks(count: number): string {
  return count === 1 ? "1 task" : `${count} tasks`;
}
