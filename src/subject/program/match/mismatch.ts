import type { Mismatch } from "../../../builder/mismatch.ts";

/** Why a function of the original is not known to be in the shipped object. */
export type ProgramMismatch =
  | Mismatch
  /** The same code stands in several places, and nothing says which one it is. */
  | { readonly kind: "ambiguous"; readonly places: readonly number[] };
