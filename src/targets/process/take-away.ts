/** One command that takes a livepatch away: out of effect first, where it is in effect. */
import type { Core } from "../../core/core.ts";
import type { Outcome } from "../../core/outcome.ts";
import type { TransitionOptions } from "../../core/transition.ts";

/** Where a task holds the way back up, the outcome is that of the way back, and the patch stays. */
export async function takeAway(core: Core, patch: string, options: TransitionOptions): Promise<Outcome> {
  const status = core.patches.find(({ name }) => name === patch);
  const isInEffect = status?.enabled === true || core.transition?.patch === patch;
  if (!isInEffect || status?.forced === true) return core.unload(patch);
  const disabled = await core.disable(patch, options);
  if (disabled.kind !== "done") return disabled;
  const unloaded = core.unload(patch);
  return unloaded.kind === "done" ? { ...disabled, notes: [...disabled.notes, ...unloaded.notes] } : unloaded;
}
