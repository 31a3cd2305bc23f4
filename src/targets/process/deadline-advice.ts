/** What can be done about tasks that did not switch in time: nothing that was tried, and nothing that cannot help. */

import type { Consistency } from "../../core/consistency.ts";
import type { Holder } from "../../core/holder.ts";

/**
 * The hint of `DEADLINE`, by what held the tasks up and the model that was tried;
 * undefined stands for the usual one.
 */
export function adviceFor(holders: readonly Holder[], consistency: Consistency | undefined): string {
  const kinds = new Set(holders.map(({ hold }) => hold.kind));
  if (kinds.has("suspended"))
    return "a stack that is no thread's is left where it is until the program goes on with it: try again then, or restart the program with the fixed one";
  if (kinds.has("unreliable"))
    return "try again while such a thread does something else; where it never does, restart the program with the fixed one";
  if (kinds.has("function") || kinds.has("patch"))
    return consistency === "stop"
      ? "give more --timeout, or --consistency lazy for threads that are always inside"
      : "give more --timeout; a thread that never returns from the function can only be restarted";
  return "try again, or give more --timeout";
}
