/** Tasks that stand in the bytes of a function's entry that a hook is about to overwrite. */
import type { Obstacle, Stack } from "../../core/machine.ts";
import { nativeHook } from "../os/native.ts";
import type { StoppedThreads } from "../store/memory.ts";
import type { PlannedEntry } from "./change-plan.ts";
import { StackReferences } from "./stack-references.ts";
import { leaveHookPlace } from "./stub-reset.ts";

interface Tasks extends StoppedThreads {
  readonly tasks: readonly number[];
  stack(task: number): Stack;
  stackMemory(task: number): Buffer | undefined;
}

/**
 * A task that cannot be moved out of the way: what a signal handler will return
 * to lies in its memory, not in its registers. undefined where there is none.
 */
export function findHindrance(entries: readonly PlannedEntry[], stopped: Tasks): Obstacle | undefined {
  const places = originalPlaces(entries);
  if (places.length === 0) return undefined;
  const references = new StackReferences(stopped);
  const ranges = places.map(({ at }) => ({ start: at + 1, end: at + nativeHook().hookLength }));
  for (const task of stopped.tasks) {
    if (references.taskMayRefer(task, ranges))
      return { task, why: "a signal handler may return to the entry of a function" };
  }
  return undefined;
}

/** Moves the tasks that stand there into the trampolines. */
export function moveTasks(entries: readonly PlannedEntry[], stopped: Tasks): void {
  const places = originalPlaces(entries);
  if (places.length === 0) return;
  for (const task of stopped.tasks) {
    const registers = stopped.registers(task);
    const ip = registers.pc;
    const place = places.find(({ at }) => ip > at && ip < at + nativeHook().hookLength);
    if (place !== undefined && leaveHookPlace(registers, place.site)) stopped.setRegisters(task, registers);
  }
}

/** Entries where the original's bytes are and will not be. */
function originalPlaces(entries: readonly PlannedEntry[]): PlannedEntry[] {
  return entries.filter(({ wasOriginal }) => wasOriginal);
}
