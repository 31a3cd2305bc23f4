/** Why a function of the original is not in the shipped object as it was compiled here. */
export type Mismatch =
  /** No symbol of its name, or nothing where it should be. */
  | { readonly kind: "absent" }
  /** Another byte, at an offset from the function's start; `at` is the place it was compared with. */
  | { readonly kind: "bytes"; readonly at: number; readonly offset: number }
  /** The same instruction with another operand. */
  | {
      readonly kind: "target";
      readonly at: number;
      readonly offset: number;
      readonly wanted: string;
      readonly found: string;
    };
