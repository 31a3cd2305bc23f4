/**
 * Constants that a livepatch brings in the place of older ones whose addresses have been let out: who holds
 * an old one goes on with its contents, and a comparison of the address with the new one's fails.
 */
import type { StayRecord } from "../../patch/metadata.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";
import type { OutlivingUnit } from "./code.ts";
import { ANY, nameOf } from "./sources.ts";

/** `CONSTANT_IN_USE`. What the new code does with its constant is taken for what the running code has done with the old one. */
export function leftBehind(
  units: readonly Pick<OutlivingUnit, "selection">[],
  stays: readonly StayRecord[],
): Refusal[] {
  return units.flatMap(({ selection: { unit, pieces } }) =>
    pieces.flatMap(({ atom, older }) => {
      if (older === undefined) return [];
      const name = nameOf(atom);
      // What gets out unnamed may be it.
      const stay = stays.find(({ source, what }) => source === unit && (what === name || what === ANY));
      if (stay === undefined) return [];
      return refusal(
        "CONSTANT_IN_USE",
        `the constant ${name} ${older === atom.name ? "is changed" : `takes the place of ${older}`}, and its address ${stay.what === ANY ? "may get out" : "gets out"}: in ${stay.function} ${stay.what === ANY ? ANY : "it"} ${stay.how}; whoever has the running one's would go on with that, and not know the new one`,
        `${unit}: ${atom.section.name}`,
        "leave it as it is, and decide in the functions that use it",
      );
    }),
  );
}
