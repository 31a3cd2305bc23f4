import type { Selection } from "../diff/selection.ts";
import type { Refusal } from "../patch/refusal.ts";
import { Image } from "./image.ts";
import type { Found, LinkUnit } from "./input.ts";
import { Binder, placePieces } from "./place-pieces.ts";
import { placeTables } from "./tables.ts";
import { writeModule } from "./write-module.ts";

/** New code and data as an object that a linker takes. It is no livepatch: nothing of it is bound. */
export interface DiffedObject {
  readonly refusals: readonly Refusal[];
  /** A relocatable object. Only to be called where there are no refusals. */
  write(): Buffer;
}

/**
 * What a diff selects as an object of its own: the new code and data with its
 * special sections. What it takes from elsewhere, the original's functions and
 * variables among them, is an undefined symbol.
 */
export function diffedObject(selection: Selection): DiffedObject {
  const image = new Image(selection.arch);
  const placements = placePieces(selection.pieces, image);
  const named = (name: string): Found => ({
    origin: { kind: "exported", name, crc: 0, namespace: undefined, module: undefined },
    isSealed: false,
  });
  const unit: LinkUnit = {
    selection,
    object: "vmlinux",
    surroundings: "the kernel",
    dependencies: new Set(),
    locateFunc: ({ name }) => ({ name, sympos: 0 }),
    locate: (atom) => (atom.anonymous ? undefined : named(atom.name)),
    external: named,
  };
  const binder = new Binder(unit, image, placements, new Map());
  const refusals: Refusal[] = [];
  for (const piece of selection.pieces) {
    const placement = placements.get(piece.atom);
    if (placement === undefined) continue;
    binder.bind(piece.references, placement.section, placement.offset);
    refusals.push(...placeTables(piece, image, binder, unit).refusals);
  }
  return { refusals: [...refusals, ...binder.refusals], write: () => writeModule(image, undefined) };
}
