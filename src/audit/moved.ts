/** Functions that have moved from one file to another as they were: what runs under their names does the same. */
import type { Difference } from "./compare.ts";
import type { ComparedUnit } from "./livepatch-code.ts";
import type { Named } from "./plain-object.ts";
import { type PlaceRule, Sameness, said } from "./same.ts";

/**
 * Whether what is new in `source` is a function that another unit of the same objects has lost, and is the
 * same. One that uses anything that only its file sees is not: under the same name the
 * other file has something of its own.
 */
export function hasMovedUnchanged(difference: Difference, source: string, units: readonly ComparedUnit[]): boolean {
  const { name } = difference;
  const unit = units.find((each) => each.source === source);
  const come = functionThat("added", difference);
  if (unit === undefined || come === undefined) return false;
  const { patched, lines } = unit.comparison;
  const homes = units.flatMap((from) => {
    const gone =
      from === unit || from.objects?.join() !== unit.objects?.join()
        ? undefined
        : from.comparison.differences
            .filter((each) => each.name === name)
            .map((each) => functionThat("removed", each))
            .find((each) => each !== undefined);
    return gone === undefined ? [] : [{ side: from.comparison.original, gone }];
  });
  const [home] = homes;
  if (home === undefined || homes.length > 1) return false;
  return new Sameness(home.side, patched, lines, { place: ofAllFiles }).functions(home.gone, come) === undefined;
}

/** The function that other files see, where one comes or goes. */
function functionThat(wanted: "added" | "removed", { of, kind, original, patched }: Difference): Named | undefined {
  if (of !== "function" || kind !== wanted) return undefined;
  const named = kind === "added" ? patched : original;
  return named?.isGlobal === true ? named : undefined;
}

/** Places of one file are another's only where both are strings or constants without a name. */
const ofAllFiles: PlaceRule = (a, b) => {
  const own = [a, b].some((place) => place.kind === "named" && !place.named.isGlobal);
  return own ? { reason: `${said(b)}, which only its file sees` } : undefined;
};
