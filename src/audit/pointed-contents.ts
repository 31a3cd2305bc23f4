/** What variables hold, side by side: bytes, and what their pointers lead to. */
import { plainName, runningName } from "./names.ts";
import type { Named, Place, PlainObject } from "./plain-object.ts";
import { stringAt } from "./same.ts";

export interface Sides {
  readonly original: PlainObject;
  readonly patched: PlainObject;
}

/** Its bytes with those of pointers cleared, and what these lead to, by offset. */
export function contentsOf(object: PlainObject, { section, start, end }: Named) {
  const bytes = Buffer.alloc(end - start);
  if (start < section.data.length) section.data.copy(bytes, 0, start, Math.min(end, section.data.length));
  const pointers = new Map<number, Place>();
  for (const field of object.fieldsIn(section, start, end)) {
    bytes.fill(0, field.offset - start, field.offset - start + field.size);
    pointers.set(field.offset - start, object.placeOf(field));
  }
  return { bytes, pointers };
}

/** By name; what has none by the bytes up to the first zero. */
export function isOne(a: Place, b: Place, objects: ReadonlySet<string>): boolean {
  if (a.kind === "anonymous" && b.kind === "anonymous")
    return stringAt(a.section, a.offset).equals(stringAt(b.section, b.offset));
  if (a.kind === "anonymous" || b.kind === "anonymous") return false;
  const [mine, other] = [a, b].map((place) =>
    place.kind === "named" ? place.named.name : (runningName(place.name, objects) ?? place.name),
  ) as [string, string];
  return plainName(mine) === plainName(other) && a.offset === b.offset;
}

/** Whether two versions of a variable differ, and in nothing but functions that others have taken the place of. */
export function isSameButForFunctions(
  original: Named,
  patched: Named,
  sides: Sides,
  hasTakenPlace: (original: string, patched: string) => boolean,
): boolean {
  if (original.end - original.start !== patched.end - patched.start) return false;
  const [before, after] = [contentsOf(sides.original, original), contentsOf(sides.patched, patched)];
  if (!before.bytes.equals(after.bytes) || before.pointers.size !== after.pointers.size) return false;
  let taken = 0;
  for (const [at, mine] of before.pointers) {
    const other = after.pointers.get(at);
    if (other === undefined) return false;
    if (isOne(mine, other, new Set())) continue;
    if (mine.kind !== "named" || other.kind !== "named" || mine.offset !== 0 || other.offset !== 0) return false;
    if (!hasTakenPlace(mine.named.name, other.named.name)) return false;
    taken++;
  }
  return taken > 0;
}
