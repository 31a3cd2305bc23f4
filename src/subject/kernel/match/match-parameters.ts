/** Where parameters lie: no code refers to them, but each has its full name, which no other has. */
import { PARAMETERS } from "../../../diff/roles.ts";
import type { Atom, Reference, Unit } from "../../../diff/unit.ts";
import type { Shipped } from "./shipped.ts";

/** Places of the parameters whose full name, and what it leads to, are in the object once. */
export function matchParameters({ atoms }: Unit, shipped: Shipped): Map<Atom, number> {
  const places = new Map<Atom, number>();
  for (const atom of atoms) {
    if (atom.section.name !== PARAMETERS || atom.anonymous) continue;
    const found = shipped.places(atom.name).filter((at) => hasSameTexts(atom, at, shipped));
    if (found.length === 1) places.set(atom, found[0] as number);
  }
  return places;
}

/** Whether the parameter that ships there points to the same texts; one that points to none is not told. */
function hasSameTexts({ references }: Atom, at: number, shipped: Shipped): boolean {
  const texts = references.flatMap((reference) => {
    const text = textOf(reference);
    return text === undefined ? [] : [{ reference, text }];
  });
  return (
    texts.length > 0 &&
    texts.every(({ reference: { offset, type, adjust, target }, text }) => {
      const found = shipped.target(at + offset, type, adjust);
      const from = target.kind === "absolute" ? 0 : target.offset;
      return found?.kind === "place" && shipped.bytes(found.at - from, text.length)?.equals(text) === true;
    })
  );
}

function textOf({ target }: Reference): Buffer | undefined {
  if (target.kind === "literal") return Buffer.from(target.literal.bytes, "latin1");
  const isText = target.kind === "atom" && target.atom.kind === "constant" && target.atom.references.length === 0;
  return isText && target.atom.data.length > 0 ? target.atom.data : undefined;
}
