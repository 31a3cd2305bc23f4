/**
 * What the verbs speak to: a running system that takes in livepatches,
 * whatever lies under it.
 */
import type { VerbResult } from "./verb-result.ts";

/**
 * Refusing, a transition that was turned back and one that goes on are results.
 * What cannot be looked into or changed at all is thrown.
 */
export interface Target<Livepatch> {
  /** Why a livepatch would not be taken in as things are now, and who is in the way; nothing is changed. */
  preflight(livepatch: Livepatch): Promise<VerbResult>;
  /** Takes in a livepatch and enables it; where it is refused, or time is over, nothing of it stays. */
  load(livepatch: Livepatch): Promise<VerbResult>;
  /** Enables a disabled patch, or goes on with the transition to it. */
  enable(patch: string): Promise<VerbResult>;
  /** Puts back what a patch has replaced. */
  disable(patch: string): Promise<VerbResult>;
  /** Ends a transition without regard for the tasks that hold it up. */
  force(patch: string): Promise<VerbResult>;
  /** Takes a patch out, disabled first where it is enabled; what may still be referred to stays, and is told in `kept`. */
  unload(patch: string): Promise<VerbResult>;
}
