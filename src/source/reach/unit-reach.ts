/** How the changes of a diff reach a unit that includes changed files. */
export interface UnitReach {
  /**
   * `same`: the compiler gets the same tokens. `inert`: it gets other
   * declarations, of which the unit's code uses none. `reached`: all else.
   */
  readonly kind: "same" | "inert" | "reached";
  /** The changed files that the unit read as it was. */
  readonly reads: readonly string[];
}
