/** What a transition cost the system: shown every time. */
import type { StopCost, TaskId } from "./machine.ts";

/** What a transition cost one task, besides the stops of all. */
export interface TaskCost {
  /** How often this task alone was stopped. */
  readonly stops: number;
  /** For how long it stood still in all, microseconds. */
  readonly stoppedUs: number;
}

/** How often and for how long the system stood still, a way back included. */
export interface TransitionCost {
  /** Each stop of all tasks, in order. */
  readonly stops: readonly StopCost[];
  /** How many of these stops were tries to switch, whether they did or not. */
  readonly tries: number;
  /** Tasks that were stopped one by one. */
  readonly tasks: ReadonlyMap<TaskId, TaskCost>;
}

/**
 * Counts as a transition goes on. What it shows, as a `TransitionCost`, goes on
 * changing until the transition's outcome is there.
 */
export class CostCount implements TransitionCost {
  readonly stops: StopCost[] = [];
  readonly tasks = new Map<TaskId, TaskCost>();
  tries = 0;

  stop(cost: StopCost, isTry: boolean): void {
    this.stops.push(cost);
    if (isTry) this.tries++;
  }

  task(task: TaskId, { stoppedUs }: StopCost): void {
    const before = this.tasks.get(task) ?? { stops: 0, stoppedUs: 0 };
    this.tasks.set(task, { stops: before.stops + 1, stoppedUs: before.stoppedUs + stoppedUs });
  }
}
