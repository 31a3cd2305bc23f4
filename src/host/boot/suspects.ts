/** Which livepatches a boot that ended without a word may have died of. */
import type { Trial } from "../store/trials.ts";

/**
 * The one that was being loaded, if any was: what was loaded before it had settled. Else the machine
 * died soon after all were there: each of them that no boot has lived with yet is suspected, and
 * the last one where all have, so that no two boots die in the same way.
 *
 * @param trials of one boot, in the order in which they began
 * @param isProved whether an earlier boot has lived with it
 */
export function suspectsOf(trials: readonly Trial[], isProved: (installed: number) => boolean): readonly Trial[] {
  const loading = trials.findLast(({ phase }) => phase === "loading");
  if (loading !== undefined) return [loading];
  const loaded = trials.filter(({ phase }) => phase === "loaded");
  const unproved = loaded.filter(({ installed }) => !isProved(installed));
  return unproved.length > 0 ? unproved : loaded.slice(-1);
}
