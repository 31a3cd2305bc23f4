/** Ending a transition with tasks in the way: they switch as they stand. */
import type { CostCount } from "./cost.ts";
import { isOver, type Limit, rest } from "./limit.ts";
import { Passage } from "./passage.ts";
import type { CoreRecord, TransitionRecord } from "./record.ts";
import type { Registry } from "./registry.ts";
import { tryStopped } from "./try-stopped.ts";
import { patchesLeft, planOfTransition } from "./view.ts";

/**
 * The patches that are left can never be unloaded then, since tasks may be inside
 * their code for ever. Where a task stood all the time at a place that has to be written, nothing is done: its hold is in the passage that is returned.
 */
export async function forceArrival(
  registry: Registry,
  transition: TransitionRecord,
  limit: Limit,
  cost: CostCount,
): Promise<Passage | undefined> {
  const passage = new Passage(registry, withForced(registry.record, transition), transition, cost);
  for (;;) {
    passage.holds.clear();
    const done = tryStopped(passage, (system) =>
      registry.commit(system, passage.settled, new Set(), passage.whenArrived),
    );
    if (done !== undefined) {
      const { value: obstacle } = done;
      cost.stop(done.cost, true);
      if (obstacle === undefined) return undefined;
      passage.holds.set(obstacle.task, { kind: "obstacle", why: obstacle.why });
    }
    if (isOver(registry.machine, limit)) return passage;
    await rest(registry.machine, limit, 1);
  }
}

function withForced(record: CoreRecord, transition: TransitionRecord): CoreRecord {
  const left = patchesLeft(planOfTransition(record, transition));
  return { ...record, patches: record.patches.map((each) => (left.has(each.name) ? { ...each, forced: true } : each)) };
}
