/** One direction of a transition, made ready before the first stop: what changes, what holds tasks, which records come. */
import type { CostCount } from "./cost.ts";
import { HeldCode } from "./held-code.ts";
import type { Hold, Holder } from "./holder.ts";
import type { Hook, Machine, Site, TaskId } from "./machine.ts";
import type { CoreRecord, TransitionRecord } from "./record.ts";
import { type PreparedRecord, prepare, type Registry } from "./registry.ts";
import { arrivedRecord, movingRecord } from "./steps.ts";
import { choosing, planOfTransition, settled } from "./view.ts";

/**
 * Made outside of stops, so that in one nothing is left to work out: a stop reads
 * stacks and commits one of two prepared records.
 */
export class Direction {
  readonly registry: Registry;
  readonly held: HeldCode;
  readonly choosing: ReadonlyMap<Site, Hook>;
  readonly settled: ReadonlyMap<Site, Hook>;
  readonly whenMoving: PreparedRecord;
  readonly whenArrived: PreparedRecord;
  /** No task can be in the way: there is nothing to wait for. */
  readonly isEmpty: boolean;
  readonly cost: CostCount;
  /** Why tasks were held when they were last looked at. */
  readonly holds = new Map<TaskId, Hold>();

  /** @param record the registry's, or where nothing has been written yet, the one that the transition begins with */
  constructor(registry: Registry, record: CoreRecord, transition: TransitionRecord, cost: CostCount) {
    const plan = planOfTransition(record, transition);
    this.registry = registry;
    this.held = new HeldCode(plan);
    this.choosing = choosing(plan);
    this.settled = settled(plan);
    this.isEmpty = this.held.isEmpty;
    this.whenMoving = prepare(movingRecord(record, transition));
    this.whenArrived = prepare(arrivedRecord(record, transition));
    this.cost = cost;
  }

  get machine(): Machine {
    return this.registry.machine;
  }

  /** Whether some tasks may have switched, so that it is the system that knows which are behind. */
  get isMoving(): boolean {
    return this.registry.record.transition?.phase === "moving";
  }

  holders(): Holder[] {
    return [...this.holds].map(([task, hold]) => ({ task, hold, doing: this.machine.doing(task) }));
  }
}
