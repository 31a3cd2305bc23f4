/** Turning a transition round: those that have switched are behind now, and go back. */
import type { CostCount } from "./cost.ts";
import { Direction } from "./direction.ts";
import type { Registry } from "./registry.ts";
import { tryStopped } from "./try-stopped.ts";

/** The way back; undefined where it could not begin at this moment, and nothing was changed. */
export function turnRound(registry: Registry, cost: CostCount): Direction | undefined {
  const { record } = registry;
  const { transition } = record;
  if (transition === undefined) return undefined;
  const back = new Direction(registry, record, { ...transition, reversed: !transition.reversed }, cost);
  const done = tryStopped(back, (system) => {
    const wasBehind = system.behind();
    const behind = new Set(system.tasks.filter((task) => !wasBehind.has(task)));
    for (const task of behind) back.holds.set(task, { kind: "unseen" });
    return registry.commit(system, back.choosing, behind, back.whenMoving);
  });
  if (done === undefined) return undefined;
  const { value: obstacle, cost: stop } = done;
  cost.stop(stop, false);
  return obstacle === undefined ? back : undefined;
}
