/** The model `stop`: all tasks stand still, every stack is read, and all switch at once or none does. */
import { holdBySuspended, holdOf, NO_TASK } from "./holder.ts";
import { isOver, type Limit, rest } from "./limit.ts";
import type { StoppedSystem, TaskId } from "./machine.ts";
import type { Passage } from "./passage.ts";
import { tryStopped } from "./try-stopped.ts";

const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 100;

const NONE: ReadonlySet<TaskId> = new Set();

/** Tries until it succeeds or time is over. Once tasks are moving, only those behind are in the way. */
export async function stopUntilArrived(passage: Passage, limit: Limit): Promise<"arrived" | "late"> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    if (tryAll(passage) === "arrived") return "arrived";
    if (isOver(passage.machine, limit)) return "late";
    await rest(passage.machine, limit, pause);
    if (isOver(passage.machine, limit)) return "late";
  }
}

/** One try. */
function tryAll(passage: Passage): "arrived" | "held" {
  const hasSuspended = passage.machine.hasSuspended(passage.held.ranges);
  // Once it was in the way it is looked for outside of a stop: while it is there none is of use.
  if (passage.holds.has(NO_TASK) && isSuspended(passage)) return "held";
  const done = stopped(passage, (system) => {
    if (isStillHeld(passage, system) || !lookAtAll(passage, system)) return "held";
    if (hasSuspended && isSuspended(passage)) return "held";
    return settle(passage, system);
  });
  return done ?? "held";
}

/**
 * One try that lets those behind whose stacks are in the way. `moving`: all others
 * have switched. `held`: nothing could be written at this moment.
 */
export function trySplitting(passage: Passage): "arrived" | "moving" | "held" {
  const done = stopped(passage, (system) => {
    if (lookAtAll(passage, system)) return settle(passage, system);
    if (!passage.isMoving) {
      const obstacle = passage.registry.commit(
        system,
        passage.choosing,
        new Set(passage.holds.keys()),
        passage.whenMoving,
      );
      if (obstacle !== undefined) passage.holds.set(obstacle.task, { kind: "obstacle", why: obstacle.why });
      return obstacle === undefined ? "moving" : "held";
    }
    for (const task of system.behind()) if (!passage.holds.has(task)) passage.machine.advance(task);
    return "moving";
  });
  return done ?? (passage.isMoving ? "moving" : "held");
}

function stopped<T>(passage: Passage, body: (system: StoppedSystem) => T): T | undefined {
  const done = tryStopped(passage, body);
  if (done !== undefined) passage.cost.stop(done.cost, true);
  return done?.value;
}

/** Whether no task is in the way; all that are, are in `holds` then. */
function lookAtAll(passage: Passage, system: StoppedSystem): boolean {
  const { holds } = passage;
  holds.clear();
  for (const task of inTheWay(passage, system)) isHeld(passage, system, task);
  return holds.size === 0;
}

/** Whether one that was in the way before still is: then the stop can be over at once. */
function isStillHeld(passage: Passage, system: StoppedSystem): boolean {
  const { holds } = passage;
  holds.delete(NO_TASK);
  if (holds.size === 0) return false;
  const tasks = inTheWay(passage, system);
  for (const task of [...holds.keys()]) {
    if (tasks.has(task) && isHeld(passage, system, task)) return true;
    holds.delete(task);
  }
  return false;
}

/** Whether a stack that is no task's is in the way. */
function isSuspended({ machine, held, holds }: Passage): boolean {
  const hold = holdBySuspended(machine, held);
  if (hold === undefined) return false;
  holds.clear();
  holds.set(NO_TASK, hold);
  return true;
}

function inTheWay(passage: Passage, system: StoppedSystem): ReadonlySet<TaskId> {
  return passage.isMoving ? system.behind() : new Set(system.tasks);
}

function isHeld({ held, holds }: Passage, system: StoppedSystem, task: TaskId): boolean {
  const hold = holdOf(system.stack(task), held);
  if (hold !== undefined) holds.set(task, hold);
  return hold !== undefined;
}

function settle(passage: Passage, system: StoppedSystem): "arrived" | "held" {
  const obstacle = passage.registry.commit(system, passage.settled, NONE, passage.whenArrived);
  if (obstacle === undefined) return "arrived";
  passage.holds.set(obstacle.task, { kind: "obstacle", why: obstacle.why });
  return "held";
}
