import type { Piece } from "../diff/selection.ts";
import type { Atom } from "../diff/unit.ts";
import { isCallbackPiece } from "./callbacks.ts";
import type { FieldTarget, Image } from "./image.ts";
import type { LinkUnit } from "./input.ts";
import { Binder, type Placement, placePieces } from "./place-pieces.ts";

/** A unit whose pieces have their places in the livepatch. */
export interface PlacedUnit {
  readonly unit: LinkUnit;
  readonly pieces: readonly Piece[];
  readonly placements: ReadonlyMap<Atom, Placement>;
  readonly binder: Binder;
}

/** @param others what the units define for each other, by name: to be filled, and read when they are bound */
export function placeUnits(units: readonly LinkUnit[], image: Image, others: Map<string, FieldTarget>): PlacedUnit[] {
  return units.map((unit) => {
    const pieces = unit.selection.pieces.filter((piece) => !isCallbackPiece(piece));
    const placements = placePieces(pieces, image);
    for (const [name, target] of globalsOf(unit, placements)) others.set(name, target);
    return { unit, pieces, placements, binder: new Binder(unit, image, placements, others) };
  });
}

/** New functions and variables that other units can see. */
function globalsOf(unit: LinkUnit, placements: ReadonlyMap<Atom, Placement>): [string, FieldTarget][] {
  const isPatched = new Set<Atom>(unit.selection.funcs.map(({ patched }) => patched));
  return [...placements].flatMap(([atom, { section, offset }]) =>
    isPatched.has(atom)
      ? []
      : atom.symbols
          .filter((symbol) => symbol.binding !== 0)
          .map((symbol): [string, FieldTarget] => [
            symbol.name,
            { kind: "section", section, offset: offset + symbol.value - atom.start },
          ]),
  );
}
