/** Finishes a change that a program of ours was killed in. */
import { SutureError } from "../../lib/error.ts";
import { type FoundControl, findRepair } from "../store/find-control.ts";
import type { ProcessMemory } from "../store/memory.ts";
import type { ProcessHooks, StoppedTasks } from "./process-hooks.ts";
import { writeGeneration } from "./write-change.ts";

const TRIES = 50;
const PAUSE_MS = 20;

/**
 * Makes the entries what the record in force says; what any call does stays the
 * same. Throws `REPAIR_BLOCKED` where signal handlers stay between an entry and its function.
 */
export function recover(
  found: FoundControl,
  hooks: ProcessHooks,
  memory: ProcessMemory,
  stopped: <T>(body: (tasks: StoppedTasks) => T) => T,
): void {
  const repair = findRepair(found, memory);
  if (repair === undefined) return;
  if (repair.adopt && found.pending !== undefined) {
    writeGeneration(found.pending.number, found.layout, memory);
    hooks.adopt({ ...found, record: found.pending, pending: undefined });
    return;
  }
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const isDone = stopped((tasks) => {
      // Tasks in stubs were put back to the entries when they were stopped.
      if (tasks.tasks.some((task) => isHeld(tasks, task, hooks))) return false;
      for (const { at, bytes } of repair.entries) memory.write(at, bytes);
      return true;
    });
    if (isDone) return;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
  }
  throw new SutureError("REPAIR_BLOCKED", "a change that was left half made cannot be finished now", {
    hint: "try again: a thread handles a signal that came at the entry of a patched function",
  });
}

function isHeld(tasks: StoppedTasks, task: number, { areas }: ProcessHooks): boolean {
  return tasks.stack(task).frames.some(({ ip }) => areas.some(({ stubs }) => ip >= stubs.start && ip < stubs.end));
}
