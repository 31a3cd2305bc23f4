/** What variables hold, side by side: bytes, and what their pointers lead to. */
import { plainName, runningName } from "./names.ts";
import type { Named, Place, PlainObject } from "./plain-object.ts";
import { stringAt } from "./strings.ts";

/** The two objects in which a variable is looked at. */
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
