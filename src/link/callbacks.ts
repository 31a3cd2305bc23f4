/**
 * The callbacks that a diff brings by including suture/livepatch.h: each is a
 * pointer in a section of its own, which the linker reads and does not keep.
 */
import type { Piece } from "../diff/selection.ts";
import type { FieldTarget } from "./image.ts";
import type { CallbackName, Callbacks } from "./klp.ts";
import type { Binder } from "./place-pieces.ts";

const PREFIX = ".suture.callback.";

export function isCallbackPiece({ atom }: Piece): boolean {
  return atom.section.name.startsWith(PREFIX);
}

export function callbacksOf(pieces: readonly Piece[], binder: Binder): Callbacks {
  const callbacks: { [Name in CallbackName]?: FieldTarget } = {};
  for (const piece of pieces.filter(isCallbackPiece)) {
    const [reference] = piece.references;
    if (
      reference === undefined ||
      reference.destination.kind === "absolute" ||
      reference.destination.kind === "literal"
    )
      continue;
    const target = binder.target(reference.destination);
    if (target?.kind !== "section") continue;
    const name = piece.atom.section.name.slice(PREFIX.length) as CallbackName;
    callbacks[name] = { ...target, offset: target.offset + reference.destination.offset };
  }
  return callbacks;
}
