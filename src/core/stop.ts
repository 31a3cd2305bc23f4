/** The model `stop`: all tasks stand still, every stack is read, and all switch at once or none does. */
import { holdOf } from "./holder.ts";
import { isOver, type Limit, rest } from "./limit.ts";
import type { StoppedSystem, TaskId } from "./machine.ts";
import type { Passage } from "./passage.ts";

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
  return stopped(passage, (system) => {
    if (isStillHeld(passage, system) || !lookAtAll(passage, system)) return "held";
    return settle(passage, system);
  });
}

/**
 * One try that lets those behind whose stacks are in the way. `moving`: all others
 * have switched. `held`: nothing could be written at this moment.
 */
export function trySplitting(passage: Passage): "arrived" | "moving" | "held" {
  return stopped(passage, (system) => {
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
}

function stopped<T>(passage: Passage, body: (system: StoppedSystem) => T): T {
  const { value, cost } = passage.machine.stopped(body);
  passage.cost.stop(cost, true);
  return value;
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
  if (holds.size === 0) return false;
  const tasks = inTheWay(passage, system);
  for (const task of [...holds.keys()]) {
    if (tasks.has(task) && isHeld(passage, system, task)) return true;
    holds.delete(task);
  }
  return false;
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
