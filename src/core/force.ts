/** Ending a transition with tasks in the way: they switch as they stand. */
import type { CostCount } from "./cost.ts";
import { Direction } from "./direction.ts";
import { isOver, type Limit, rest } from "./limit.ts";
import type { CoreRecord, TransitionRecord } from "./record.ts";
import type { Registry } from "./registry.ts";
import { tryStopped } from "./try-stopped.ts";
import { patchesLeft, planOfTransition } from "./view.ts";

/**
 * The patches that are left can never be unloaded then, since tasks may be inside
 * their code for ever. Where a task stood all the time at a place that has to be written, nothing is done: its hold is in the direction of the transition that is returned.
 */
export async function forceArrival(
  registry: Registry,
  transition: TransitionRecord,
  limit: Limit,
  cost: CostCount,
): Promise<Direction | undefined> {
  const direction = new Direction(registry, withForced(registry.record, transition), transition, cost);
  for (;;) {
    direction.holds.clear();
    const done = tryStopped(direction, (system) =>
      registry.commit(system, direction.settled, new Set(), direction.whenArrived),
    );
    if (done !== undefined) {
      const { value: obstacle } = done;
      cost.stop(done.cost, true);
      if (obstacle === undefined) return undefined;
      direction.holds.set(obstacle.task, { kind: "obstacle", why: obstacle.why });
    }
    if (isOver(registry.machine, limit)) return direction;
    await rest(registry.machine, limit, 1);
  }
}

function withForced(record: CoreRecord, transition: TransitionRecord): CoreRecord {
  const left = patchesLeft(planOfTransition(record, transition));
  return { ...record, patches: record.patches.map((each) => (left.has(each.name) ? { ...each, forced: true } : each)) };
}
