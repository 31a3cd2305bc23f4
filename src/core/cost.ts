/** What a transition cost the system: shown every time. */
import type { StopCost, TaskId } from "./machine.ts";

export interface TaskCost {
  /** How often this task alone was stopped. */
  readonly stops: number;
  /** For how long it stood still in all, microseconds. */
  readonly stoppedUs: number;
}

export interface TransitionCost {
  /** Each stop of all tasks, in order. */
  readonly stops: readonly StopCost[];
  /** How many of these stops were tries to switch, whether they did or not. */
  readonly tries: number;
  /** Tasks that were stopped one by one. */
  readonly tasks: ReadonlyMap<TaskId, TaskCost>;
}

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
