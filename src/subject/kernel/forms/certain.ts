/** Whether the diff of a unit in another form says of the running object what the proved one does. */
import type { Difference } from "../../../diff/compare.ts";
import { isDisposable, numberedBase, stableName } from "../../../diff/names.ts";
import type { ObjectDiff } from "../../../diff/object-diff.ts";
import type { Pairing } from "../../../diff/pairing.ts";
import { needsSwitch } from "../../../diff/selection.ts";
import type { Atom } from "../../../diff/unit.ts";

/** The proved original's atoms beside those of the other form's original, and which of the latter differ. */
export interface Forms {
  readonly pairing: Pairing;
  readonly differences: ReadonlyMap<Atom, Difference>;
}

/**
 * Whether the other form replaces every function that runs and holds a change, and
 * what its new code shares with running code is the same in both.
 */
export function isCertain(proved: ObjectDiff, other: ObjectDiff, forms: Forms): boolean {
  // What is switched without a hook is held against its own bytes and size, which are the proved form's alone.
  if (needsSwitch(proved.selection) || needsSwitch(other.selection)) return false;
  return replacesAll(proved, other, forms) && sharesTheSame(proved, other, forms);
}

/** The compiler may have put a changed function into others in the proved form alone. */
function replacesAll({ selection: proved }: ObjectDiff, { selection: other }: ObjectDiff, { pairing }: Forms): boolean {
  const replaced = new Set(other.funcs.map(({ original }) => original));
  const isReplaced = (original: Atom): boolean => {
    const twin = pairing.patchedOf.get(original);
    return twin !== undefined && replaced.has(twin);
  };
  return (
    proved.funcs.every(({ original }) => isReplaced(original)) &&
    (proved.moduleExit === undefined) === (other.moduleExit === undefined)
  );
}

/**
 * Whether what runs has no such function or constant, by an atom of the other form's original: the compiler has put it
 * into its users there. A clone, whose parameters it chose, is the same one only if its code is.
 */
export function isAbsent(atom: Atom, { pairing, differences }: Forms): boolean {
  return !pairing.originalOf.has(atom) || (isClone(atom) && differences.has(atom));
}

/**
 * What new code shares with running code has to be there, as a variable that is only written to is not; a static local
 * has to be the only one of its name.
 */
function sharesTheSame({ original: proved }: ObjectDiff, { original, selection }: ObjectDiff, forms: Forms): boolean {
  const shared = new Set(selection.funcs.map((func) => func.original));
  for (const { references, entries } of selection.pieces)
    for (const { destination } of [...references, ...entries.flatMap((entry) => entry.references)])
      if (destination.kind === "original") shared.add(destination.atom);
  const isAlone = (atom: Atom, atoms: readonly Atom[]) =>
    atoms.filter((it) => isNumbered(it) && stableName(it) === stableName(atom)).length === 1;
  return [...shared].every((atom) => {
    if (isNumbered(atom)) return isAlone(atom, original.atoms) && isAlone(atom, proved.atoms);
    return !isAbsent(atom, forms);
  });
}

function isNumbered(atom: Atom): boolean {
  return atom.kind !== "function" && !isDisposable(atom) && numberedBase(atom.name) !== undefined;
}

function isClone({ kind, name }: Atom): boolean {
  return kind === "function" && /\.(isra|constprop|part)\b/.test(name);
}
