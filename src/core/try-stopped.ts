import type { StopCost, StoppedSystem } from "./machine.ts";
import type { Passage } from "./passage.ts";
import { Unstoppable } from "./unstoppable.ts";

/** A stop of all tasks; undefined where one does not stop now, which is then what holds the passage up. */
export function tryStopped<T>(
  { machine, holds }: Pick<Passage, "machine" | "holds">,
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
