/**
 * The model `lazy`: tasks switch one by one, each when nothing that is left
 * behind is on its stack. Others run on meanwhile.
 */

import type { Direction } from "./direction.ts";
import { systemGone } from "./gone.ts";
import { holdOf } from "./holder.ts";
import { isOver, type Limit, wakeUp } from "./limit.ts";
import type { Frame, Stack, StopCost, TaskId } from "./machine.ts";
import { tryStopped } from "./try-stopped.ts";
import { Unstoppable } from "./unstoppable.ts";

/** A task that cannot be caught when it leaves is looked at again after this many ms, then twice as many, up to the longest. */
const UNWATCHED_MS = { first: 1, longest: 100 };
/** A task that is watched may leave without returning (longjmp, exceptions), which is rare. */
const WATCHED_MS = { first: 100, longest: 2000 };
/** Between two looks for events: these tasks stand still until they are heard. */
const LOOKS_AT_ONCE = 8;

/** Between two looks at the time. */
const EVENTS_AT_ONCE = 64;

/** A task behind. */
interface Pending {
  /** When to look at it again, in terms of the machine's clock. */
  due: number;
  pause: number;
  /** Stack pointer and address of the return that is watched, and whether the call before it is too. */
  watched: { readonly cfa: number; readonly returnsTo: number | undefined; readonly alsoCalls: boolean } | undefined;
}

/** Lets all tasks that exist be behind, without a look at any stack. */
export function beginLazily(direction: Direction): "moving" | "held" {
  const done = tryStopped(direction, (system) => {
    const obstacle = direction.registry.commit(system, direction.choosing, new Set(system.tasks), direction.whenMoving);
    direction.holds.clear();
    for (const task of system.tasks) direction.holds.set(task, { kind: "unseen" });
    if (obstacle !== undefined) direction.holds.set(obstacle.task, { kind: "obstacle", why: obstacle.why });
    return obstacle === undefined ? ("moving" as const) : ("held" as const);
  });
  if (done !== undefined) direction.cost.stop(done.cost, false);
  return done?.value ?? "held";
}

/**
 * From a system whose tasks are moving to one where all have arrived. Starts with
 * the tasks in `direction.holds`; where it is too late, those that are behind are in it.
 */
export async function moveOneByOne(direction: Direction, limit: Limit): Promise<"arrived" | "late"> {
  const lazy = new LazyMove(direction);
  try {
    return await lazy.run(limit);
  } finally {
    lazy.endWatching();
  }
}

class LazyMove {
  readonly #direction: Direction;
  readonly #pending = new Map<TaskId, Pending>();

  constructor(direction: Direction) {
    this.#direction = direction;
  }

  async run(limit: Limit): Promise<"arrived" | "late"> {
    const { machine } = this.#direction;
    for (const task of this.#direction.holds.keys()) this.#expect(task);
    let pause = UNWATCHED_MS.first;
    do {
      if (this.#pending.size > 0) {
        const next = this.#lookAtDue();
        if (this.#pending.size > 0) await this.#hear(wakeUp(machine, limit, next));
        continue;
      }
      if (this.#settle() === "arrived") return "arrived";
      if (this.#pending.size > 0) continue;
      await this.#hear(wakeUp(machine, limit, machine.now() + pause));
      pause = Math.min(2 * pause, UNWATCHED_MS.longest);
    } while (!isOver(machine, limit));
    return this.#pending.size === 0 ? this.#settle() : "late";
  }

  #expect(task: TaskId): void {
    const due = this.#direction.machine.now();
    this.#pending.set(task, { due, pause: UNWATCHED_MS.first, watched: undefined });
  }

  endWatching(): void {
    for (const task of this.#pending.keys()) this.#direction.machine.unwatch(task);
  }

  /**
   * Ends the transition where no task is behind. Else finds those that are: the
   * system knows of some that the core does not, in a fork and after a restart.
   */
  #settle(): "arrived" | "late" {
    const direction = this.#direction;
    const done = tryStopped(direction, (system) => {
      const behind = system.behind();
      direction.holds.clear();
      for (const task of behind) direction.holds.set(task, { kind: "unseen" });
      if (behind.size > 0) return { behind };
      const obstacle = direction.registry.commit(system, direction.settled, behind, direction.whenArrived);
      if (obstacle !== undefined) direction.holds.set(obstacle.task, { kind: "obstacle", why: obstacle.why });
      return { behind, obstacle };
    });
    if (done === undefined) return "late";
    const { value, cost } = done;
    direction.cost.stop(cost, value.behind.size === 0);
    if (value.behind.size === 0 && value.obstacle === undefined) return "arrived";
    for (const task of value.behind) this.#expect(task);
    return "late";
  }

  /** Looks at some tasks whose time has come; when the next one's comes. */
  #lookAtDue(): number {
    const { machine } = this.#direction;
    const now = machine.now();
    let next = Number.POSITIVE_INFINITY;
    let looks = 0;
    for (const [task, pending] of this.#pending) {
      if (pending.due <= now && looks < LOOKS_AT_ONCE) {
        looks++;
        this.#look(task, pending);
      }
      if (this.#pending.has(task)) next = Math.min(next, pending.due);
    }
    return next;
  }

  #look(task: TaskId, pending: Pending): void {
    const { machine, cost } = this.#direction;
    const seen = this.#tryStoppedTask(task, pending);
    if (seen === "unstoppable") return;
    if (seen === undefined) {
      this.#drop(task);
      return;
    }
    cost.task(task, seen.cost);
    if (seen.value === "advanced") this.#drop(task);
    else pending.due = machine.now() + pending.pause;
  }

  #tryStoppedTask(
    task: TaskId,
    pending: Pending,
  ): { readonly value: "advanced" | "held"; readonly cost: StopCost } | "unstoppable" | undefined {
    const { machine, holds } = this.#direction;
    try {
      return machine.stoppedTask(task, (stack) => this.#advanceOrWatch(task, stack, pending));
    } catch (error) {
      if (!(error instanceof Unstoppable)) throw error;
      holds.set(task, { kind: "obstacle", why: error.message });
      pending.pause = UNWATCHED_MS.longest;
      pending.due = machine.now() + pending.pause;
      return "unstoppable";
    }
  }

  #advanceOrWatch(task: TaskId, stack: Stack, pending: Pending): "advanced" | "held" {
    const { machine, held, holds } = this.#direction;
    const hold = holdOf(stack, held);
    if (hold === undefined) {
      machine.unwatch(task);
      machine.advance(task);
      return "advanced";
    }
    holds.set(task, hold);
    const outermost = stack.kind === "reliable" ? held.outermost(stack) : -1;
    this.#watch(task, pending, stack.frames[outermost], stack.frames[outermost + 1]?.ip);
    const { first, longest } = pending.watched === undefined ? UNWATCHED_MS : WATCHED_MS;
    pending.pause = Math.min(Math.max(2 * pending.pause, first), longest);
    return "held";
  }

  #watch(task: TaskId, pending: Pending, frame: Frame | undefined, returnsTo: number | undefined): void {
    const { machine } = this.#direction;
    const { watched } = pending;
    // The same frame as before, or another one in its place, that was come to without a return.
    const isSame = watched !== undefined && watched.cfa === frame?.cfa && watched.returnsTo === returnsTo;
    if (isSame && watched.alsoCalls) return;
    if (watched !== undefined) machine.unwatch(task);
    const isWatched = frame !== undefined && machine.watch(task, frame, isSame);
    pending.watched = isWatched ? { cfa: frame.cfa, returnsTo, alsoCalls: isSame } : undefined;
  }

  /** Takes in what happens until then, and what has happened by then. */
  async #hear(until: number): Promise<void> {
    const { machine } = this.#direction;
    for (let heard = 0; heard < EVENTS_AT_ONCE; heard++) {
      const event = await machine.next(heard === 0 ? until : machine.now());
      switch (event.kind) {
        case "deadline":
          return;
        case "gone":
          throw systemGone(event.why);
        case "died":
          this.#drop(event.task);
          break;
        case "left":
          this.#left(event.task);
          break;
      }
      if (this.#pending.size === 0) return;
    }
  }

  #left(task: TaskId): void {
    const pending = this.#pending.get(task);
    if (pending === undefined) {
      this.#direction.machine.resume(task);
      return;
    }
    pending.watched = undefined;
    pending.pause = UNWATCHED_MS.first;
    this.#look(task, pending);
  }

  #drop(task: TaskId): void {
    this.#pending.delete(task);
    this.#direction.holds.delete(task);
  }
}
