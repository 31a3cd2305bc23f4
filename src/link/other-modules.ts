/** What one object of a livepatch takes from the new code of another. */
import { externalsOf } from "../diff/selection.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { globalsOf, type PlacedUnit } from "./placed-unit.ts";

/**
 * New code of a module is complete once the module is loaded: only then does the
 * livepatch core bind what it needs there. An object that runs without that module
 * would call it unbound.
 */
export function needsOfAbsentModules(placed: readonly PlacedUnit[]): Refusal[] {
  const homes = new Map(
    placed.flatMap(({ unit, placements }) =>
      globalsOf(unit.selection, placements).map(([name]) => [name, unit.object] as const),
    ),
  );
  return placed.flatMap(({ unit, pieces }) =>
    [...externalsOf(pieces)].flatMap((name) => {
      const home = homes.get(name);
      if (home === undefined || home === "vmlinux" || home === unit.object || unit.dependencies.has(home)) return [];
      return refusal(
        "MODULE_MAY_BE_ABSENT",
        `${name} is new in ${home} and needed in ${unit.object}, which runs where ${home} is not loaded too`,
        unit.selection.unit,
        `define it in a file of ${unit.object}`,
      );
    }),
  );
}
