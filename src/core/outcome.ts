/** What became of a wish to the core. */
import type { RefusalCode } from "../lib/codes.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { TransitionCost } from "./cost.ts";
import type { Holder } from "./holder.ts";

/** How a wish ended. Whatever it is, the system is consistent and its record tells the truth. */
export type Outcome =
  /** `notes`: what went wrong in callbacks that cannot refuse. */
  | { readonly kind: "done"; readonly cost: TransitionCost; readonly notes: readonly string[] }
  /** Nothing was changed. */
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** Time was over: all is as it was before. `holders`: the tasks that were in the way then. */
  | {
      readonly kind: "reversed";
      readonly holders: readonly Holder[];
      readonly cost: TransitionCost;
      readonly notes: readonly string[];
    }
  /** The transition goes on: it can be continued, reversed or forced, also by another `Core`. */
  | {
      readonly kind: "pending";
      readonly holders: readonly Holder[];
      readonly cost: TransitionCost;
      readonly notes: readonly string[];
    };

/** A refusal as an outcome; the four parts are those of every refusal. */
export function refused(code: RefusalCode, what: string, where: string, hint: string): Outcome {
  return { kind: "refused", refusal: refusal(code, what, where, hint) };
}
