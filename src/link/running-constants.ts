/**
 * Constants that macros and compilers make have no name of their own to be
 * paired by, so that a new version of a function brings them anew. One that the
 * old version refers to with the same contents is the running object's instead:
 * its address may be kept by anybody for as long as they like.
 */
import { isDisposable, stableName } from "../diff/names.ts";
import type { Piece, SelectedReference } from "../diff/selection.ts";
import type { Atom } from "../diff/unit.ts";
import type { LinkUnit } from "./input.ts";

/**
 * The unit with references of its code to such constants led to the running object's;
 * pieces that nothing refers to then are still in it.
 */
export function withRunningConstants(unit: LinkUnit): LinkUnit {
  const running = runningConstants(unit);
  if (running.size === 0) return unit;
  const bound = (reference: SelectedReference): SelectedReference => {
    const { destination } = reference;
    if (destination.kind !== "piece") return reference;
    const key = keyOf(destination.atom);
    const original = key === undefined ? undefined : running.get(key);
    return original === undefined
      ? reference
      : { ...reference, destination: { ...destination, kind: "original", atom: original } };
  };
  const pieces = unit.selection.pieces.map((piece): Piece => {
    if (piece.atom.kind !== "function" && piece.atom.kind !== "code") return piece;
    return { ...piece, references: piece.references.map(bound) };
  });
  return { ...unit, selection: { ...unit.selection, pieces } };
}

function runningConstants(unit: LinkUnit): Map<string, Atom> {
  const { selection } = unit;
  const running = new Map<string, Atom>();
  for (const code of [...selection.funcs.map(({ original }) => original), ...selection.oldCode]) {
    for (const { target } of code.references) {
      if (target.kind !== "atom") continue;
      const key = keyOf(target.atom);
      if (key !== undefined && !running.has(key) && unit.locate(target.atom) !== undefined)
        running.set(key, target.atom);
    }
  }
  return running;
}

/** Equal for constants that are equal; undefined for what is no such constant, or holds addresses. */
function keyOf(atom: Atom): string | undefined {
  if (atom.kind !== "constant" || !isDisposable(atom) || atom.references.length > 0) return undefined;
  return `${stableName(atom)} ${atom.section.alignment} ${atom.start % atom.section.alignment} ${atom.data.toString("latin1")}`;
}
