/** How the changes of a diff reach a unit that includes changed files. */
export interface UnitReach {
  /**
   * `same`: the compiler gets the same tokens. `inert`: it gets other
   * declarations, of which the unit's code uses none. `unnamed`: it has none of
   * the names by which it could be reached. `reached`: all else.
   */
  readonly kind: "same" | "inert" | "unnamed" | "reached";
  /** The changed files that the unit read as it was; of one that is `unnamed`, those that it may have read. */
  readonly reads: readonly string[];
}
