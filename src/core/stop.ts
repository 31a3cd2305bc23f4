/** The model `stop`: all tasks stand still, every stack is read, and all switch at once or none does. */

import type { Direction } from "./direction.ts";
import { holdBySuspended, holdOf, NO_TASK } from "./holder.ts";
import { isOver, type Limit, rest } from "./limit.ts";
import type { StoppedSystem, TaskId } from "./machine.ts";
import { tryStopped } from "./try-stopped.ts";

const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 100;

const NONE: ReadonlySet<TaskId> = new Set();

/** Tries until it succeeds or time is over. Once tasks are moving, only those behind are in the way. */
export async function stopUntilArrived(direction: Direction, limit: Limit): Promise<"arrived" | "late"> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    if (tryAll(direction) === "arrived") return "arrived";
    if (isOver(direction.machine, limit)) return "late";
    await rest(direction.machine, limit, pause);
    if (isOver(direction.machine, limit)) return "late";
  }
}

/** One try. */
function tryAll(direction: Direction): "arrived" | "held" {
  const hasSuspended = direction.machine.hasSuspended(direction.held.ranges);
  // Once it was in the way it is looked for outside of a stop: while it is there none is of use.
  if (direction.holds.has(NO_TASK) && isSuspended(direction)) return "held";
  const done = stopped(direction, (system) => {
    if (isStillHeld(direction, system) || !lookAtAll(direction, system)) return "held";
    if (hasSuspended && isSuspended(direction)) return "held";
    return settle(direction, system);
  });
  return done ?? "held";
}

/**
 * One try that lets those behind whose stacks are in the way. `moving`: all others
 * have switched. `held`: nothing could be written at this moment.
 */
export function trySplitting(direction: Direction): "arrived" | "moving" | "held" {
  const done = stopped(direction, (system) => {
    if (lookAtAll(direction, system)) return settle(direction, system);
    if (!direction.isMoving) {
      const obstacle = direction.registry.commit(
        system,
        direction.choosing,
        new Set(direction.holds.keys()),
        direction.whenMoving,
      );
      if (obstacle !== undefined) direction.holds.set(obstacle.task, { kind: "obstacle", why: obstacle.why });
      return obstacle === undefined ? "moving" : "held";
    }
    for (const task of system.behind()) if (!direction.holds.has(task)) direction.machine.advance(task);
    return "moving";
  });
  return done ?? (direction.isMoving ? "moving" : "held");
}

function stopped<T>(direction: Direction, body: (system: StoppedSystem) => T): T | undefined {
  const done = tryStopped(direction, body);
  if (done !== undefined) direction.cost.stop(done.cost, true);
  return done?.value;
}

/** Whether no task is in the way; all that are, are in `holds` then. */
function lookAtAll(direction: Direction, system: StoppedSystem): boolean {
  const { holds } = direction;
  holds.clear();
  for (const task of inTheWay(direction, system)) isHeld(direction, system, task);
  return holds.size === 0;
}

/** Whether one that was in the way before still is: then the stop can be over at once. */
function isStillHeld(direction: Direction, system: StoppedSystem): boolean {
  const { holds } = direction;
  holds.delete(NO_TASK);
  if (holds.size === 0) return false;
  const tasks = inTheWay(direction, system);
  for (const task of [...holds.keys()]) {
    if (tasks.has(task) && isHeld(direction, system, task)) return true;
    holds.delete(task);
  }
  return false;
}

/** Whether a stack that is no task's is in the way. */
function isSuspended({ machine, held, holds }: Direction): boolean {
  const hold = holdBySuspended(machine, held);
  if (hold === undefined) return false;
  holds.clear();
  holds.set(NO_TASK, hold);
  return true;
}

function inTheWay(direction: Direction, system: StoppedSystem): ReadonlySet<TaskId> {
  return direction.isMoving ? system.behind() : new Set(system.tasks);
}

function isHeld({ held, holds }: Direction, system: StoppedSystem, task: TaskId): boolean {
  const hold = holdOf(system.stack(task), held);
  if (hold !== undefined) holds.set(task, hold);
  return hold !== undefined;
}

function settle(direction: Direction, system: StoppedSystem): "arrived" | "held" {
  const obstacle = direction.registry.commit(system, direction.settled, NONE, direction.whenArrived);
  if (obstacle === undefined) return "arrived";
  direction.holds.set(obstacle.task, { kind: "obstacle", why: obstacle.why });
  return "held";
}
