/** Places that lie before or behind what they are about: bounds of loops, arrays that are counted from 1. */
import type { Named, Place, PlainObject } from "./plain-object.ts";
import type { Spot } from "./strings.ts";

type Inside = Exclude<Place, { kind: "elsewhere" }>;

/** Bytes of an entry, at most, that an array is addressed before its start or behind its end. */
const MOST_BESIDE = 64;

/**
 * Whether both lead to as many bytes before or behind what has one name. An array that is counted from
 * 1 is addressed from before its start, and a loop over one up to its end, where something else ends or
 * begins, or nothing is: one side at least has to lead to nothing.
 */
export function areBesideOne(a: Inside, ofA: PlainObject, b: Inside, ofB: PlainObject): boolean {
  if (isWithin(a) && isWithin(b) && a.named.name !== b.named.name) return false;
  const [left, right] = [at(a), at(b)];
  const isAsFar = (mine: Named | undefined, other: Named | undefined, distance: (of: Named, at: number) => number) =>
    mine?.kind === "object" &&
    other?.kind === "object" &&
    mine.name === other.name &&
    distance(mine, left.offset) === distance(other, right.offset) &&
    distance(mine, left.offset) <= MOST_BESIDE;
  const [next, nextOther] = [ofA.nextAfter(left.section, left.offset), ofB.nextAfter(right.section, right.offset)];
  if (isAsFar(next, nextOther, ({ start }, from) => start - from)) return true;
  const [last, lastOther] = [ofA.lastBefore(left.section, left.offset), ofB.lastBefore(right.section, right.offset)];
  return isAsFar(last, lastOther, ({ end }, from) => from - end);
}

/** Whether a place is one of a named thing's own bytes. */
function isWithin(place: Place): place is Place & { kind: "named" } {
  return place.kind === "named" && place.offset >= 0 && place.offset < place.named.end - place.named.start;
}

/** Where in which section a place of the object itself is. */
export function at(place: Exclude<Place, { kind: "elsewhere" }>): Spot {
  return place.kind === "named"
    ? { section: place.named.section, offset: place.named.start + place.offset }
    : { section: place.section, offset: place.offset };
}
