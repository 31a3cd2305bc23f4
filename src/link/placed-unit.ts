import type { Piece, SelectedFunc, Selection } from "../diff/selection.ts";
import { type Atom, entryOffset } from "../diff/unit.ts";
import { STB } from "../elf/constants.ts";
import type { StayRecord } from "../patch/metadata.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import { isCallbackPiece } from "./callbacks.ts";
import { framesOf } from "./frames.ts";
import type { FieldTarget, Image } from "./image.ts";
import type { LinkUnit } from "./input.ts";
import { Binder, type Placement, placePieces } from "./place-pieces.ts";

/** A unit whose pieces have their places in the livepatch. */
export interface PlacedUnit {
  readonly unit: LinkUnit;
  readonly pieces: readonly Piece[];
  readonly placements: ReadonlyMap<Atom, Placement>;
  readonly binder: Binder;
  /** What runs in a patched function's frame and does not lie behind it. */
  readonly stays: readonly StayRecord[];
}

/** @param others what the units define for each other, by name: to be filled, and read when they are bound */
export function placeUnits(units: readonly LinkUnit[], image: Image, others: Map<string, FieldTarget>): PlacedUnit[] {
  const made = new Set(units.flatMap(({ selection }) => newGlobals(selection)));
  return units.map((unit) => {
    const pieces = unit.selection.pieces.filter((piece) => !isCallbackPiece(piece));
    const frames = framesOf(unit.selection, (name) => made.has(name));
    const placements = placePieces(pieces, image, frames.behind);
    for (const [name, target] of globalsOf(unit.selection, placements)) others.set(name, target);
    return { unit, pieces, placements, stays: frames.stays, binder: new Binder(unit, image, placements, others) };
  });
}

/** Names of new functions that other units can see. */
function newGlobals({ funcs, pieces }: Selection): string[] {
  const isPatched = new Set<Atom>(funcs.map(({ patched }) => patched));
  return pieces
    .filter(({ atom }) => atom.kind === "function" && !isPatched.has(atom))
    .flatMap(({ atom }) => atom.symbols.filter(({ binding }) => binding !== 0).map(({ name }) => name));
}

/** New functions and variables that other units can see. */
export function globalsOf(
  { funcs }: Selection,
  placements: ReadonlyMap<Atom, Placement>,
): [string, FieldTarget & { readonly kind: "section" }][] {
  const isPatched = new Set<Atom>(funcs.map(({ patched }) => patched));
  return [...placements].flatMap(([atom, { section, offset }]) =>
    isPatched.has(atom)
      ? []
      : atom.symbols
          .filter((symbol) => symbol.binding !== 0)
          .map((symbol) => [symbol.name, { kind: "section", section, offset: offset + symbol.value - atom.start }]),
  );
}

/** Where the entry of a function's new version lies in the livepatch. */
export function newEntry({ name, patched }: SelectedFunc, { section, offset }: Placement) {
  // One that takes the place of another has a name of its own.
  const own = patched.symbols.find((symbol) => symbol.name === name);
  const within = own === undefined ? entryOffset(patched) : own.value - patched.start;
  return { kind: "section", section, offset: offset + within } as const;
}

/** @param cause the usual one, for the hint */
export function notProved({ name, original }: SelectedFunc, { unit }: Selection, cause: string): Refusal {
  if (original.symbols.every(({ binding }) => binding === STB.WEAK))
    return refusal(
      "FUNCTION_NOT_PROVED",
      `${name} is weak, and the one that ships is not the one that the original compiles to: another definition of it is taken`,
      unit,
      "change the definition that is taken; this one never runs",
    );
  return refusal(
    "FUNCTION_NOT_PROVED",
    `${name} is changed, and the one that ships is not the one that the original compiles to`,
    unit,
    `see what the match says of it; ${cause} is a usual cause`,
  );
}
