/**
 * The callbacks that a diff brings by including suture/livepatch.h: each is a
 * pointer in a section of its own, which the linker reads and does not keep.
 */
import { CALLBACK_SECTION, type Piece } from "../diff/selection.ts";
import { type Refusal, refusal } from "../patch/refusal.ts";
import type { Callback, CallbackName, Callbacks } from "./klp.ts";
import { type Binder, offsetOf } from "./place-pieces.ts";

const NAMES: readonly CallbackName[] = ["pre_patch", "post_patch", "pre_unpatch", "post_unpatch"];

/** Whether the piece is a request for a callback, and no data of the livepatch. */
export function isCallbackPiece({ atom }: Piece): boolean {
  return atom.section.name.startsWith(CALLBACK_SECTION);
}

/** The callbacks of one unit, or of one object. */
export interface FoundCallbacks {
  readonly callbacks: Callbacks;
  readonly refusals: readonly Refusal[];
}

/** The callbacks of one unit. */
export function callbacksOf(pieces: readonly Piece[], binder: Binder): FoundCallbacks {
  const refusals: Refusal[] = [];
  const callbacks: { [Name in CallbackName]?: Callback } = {};
  for (const piece of pieces.filter(isCallbackPiece)) {
    const name = NAMES.find((each) => piece.atom.section.name === `${CALLBACK_SECTION}${each}`);
    const [reference] = piece.references;
    if (name === undefined || piece.references.length !== 1 || reference === undefined) {
      refusals.push(malformed(piece));
      continue;
    }
    const target = binder.target(reference.destination);
    if (target === undefined) continue;
    if (target.kind === "section" || target.kind === "origin")
      callbacks[name] = { target, addend: offsetOf(reference.destination) };
    else refusals.push(malformed(piece));
  }
  return { callbacks, refusals };
}

function malformed({ atom }: Piece): Refusal {
  return refusal(
    "CALLBACK_MALFORMED",
    `${atom.name} is no callback: a section holds one pointer to a function, and is named after its kind`,
    atom.section.name,
    "declare it with SUTURE_PRE_PATCH, SUTURE_POST_PATCH, SUTURE_PRE_UNPATCH or SUTURE_POST_UNPATCH",
  );
}
