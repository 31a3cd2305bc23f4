import type { Direction } from "./direction.ts";
import type { StopCost, StoppedSystem } from "./machine.ts";
import { Unstoppable } from "./unstoppable.ts";

/** A stop of all tasks; undefined where one does not stop now, which is then what holds it up. */
export function tryStopped<T>(
  { machine, holds }: Pick<Direction, "machine" | "holds">,
  body: (system: StoppedSystem) => T,
): { readonly value: T; readonly cost: StopCost } | undefined {
  try {
    return machine.stopped(body);
  } catch (error) {
    if (!(error instanceof Unstoppable)) throw error;
    holds.set(error.task, { kind: "obstacle", why: error.message });
    return undefined;
  }
}
