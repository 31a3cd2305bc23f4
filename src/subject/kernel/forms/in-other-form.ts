/** The diff of a unit in another form, with what was proved of the form that shipped. */
import { diffedAgain, type KnownOfOthers } from "../../../builder/across-units.ts";
import { compare } from "../../../diff/compare.ts";
import { correlate } from "../../../diff/correlate.ts";
import { pieceRecord } from "../../../diff/left-out.ts";
import { isDisposable } from "../../../diff/names.ts";
import { diffUnits, type ObjectDiff } from "../../../diff/object-diff.ts";
import type { DiffOptions } from "../../../diff/options.ts";
import type { Atom, Unit as ObjectUnit } from "../../../diff/unit.ts";
import type { RefusalCode } from "../../../lib/codes.ts";
import type { Note } from "../../../patch/metadata.ts";
import type { KernelUnitDiff } from "../examine-pair.ts";
import type { Proof } from "../match/prove.ts";
import { type Forms, isAbsent, isCertain } from "./certain.ts";
import type { Units } from "./compiled-anew.ts";

/** The note of a form; `says` is told the unit, the functions and the object. */
export interface FormNote {
  readonly code: string;
  /** The refusal for which there is the form: what is refused for another reason as well stays so. */
  readonly instead?: RefusalCode;
  says(unit: string, functions: string, object: string): string;
}

/**
 * The diff of the units in the other form; what was proved of the original is taken
 * over by which atom is which. Undefined where it does not stand for the proved diff.
 */
export function inOtherForm(
  each: KernelUnitDiff,
  { original, patched }: Units,
  note: FormNote,
): KernelUnitDiff | undefined {
  if (each.diff.refusals.some(({ code }) => code !== note.instead)) return undefined;
  const pairing = correlate(each.diff.original, original, { isModule: each.options.isModule });
  const forms: Forms = { pairing, differences: compare(original, pairing).differences };
  const options: DiffOptions = { ...each.options, isAbsent: (atom) => isAbsent(atom, forms) };
  const diff = diffUnits(original, patched, options);
  if (!isCertain(each.diff, diff, forms)) return undefined;
  const notes = [...diff.notes, noteOf(each, diff, note)];
  // Whether the form is certain, and what its note names, is told anew of a diff that has more in it.
  const again = (more: KnownOfOthers): KernelUnitDiff => {
    const proved = diffedAgain(each, more);
    return inOtherForm(proved, { original, patched }, note) ?? { ...proved, again };
  };
  return { ...each, options, diff: { ...diff, notes }, proof: takenOver(each.proof, original, forms), again };
}

function noteOf({ proof }: KernelUnitDiff, { patched, selection }: ObjectDiff, { code, says }: FormNote): Note {
  return {
    code,
    text: says(patched.name, selection.funcs.map(({ name }) => name).join(", "), proof.shipped.object),
    pieces: selection.pieces
      .filter(({ atom }) => atom.kind === "function")
      .map(({ atom }) => pieceRecord(patched.name, atom)),
  };
}

/** A function is where its name is, whatever its code; what else is another thing in the other form lies nowhere. */
function takenOver(proof: Proof, unit: ObjectUnit, { pairing, differences }: Forms): Proof {
  const places = new Map<Atom, number>();
  const proved = new Set<Atom>();
  const mismatches = new Map<Atom, NonNullable<ReturnType<Proof["match"]["mismatches"]["get"]>>>();
  for (const atom of unit.atoms) {
    const twin = pairing.originalOf.get(atom);
    if (twin === undefined || (atom.kind !== "function" && !isSame(atom, twin, differences))) continue;
    const at = proof.match.places.get(twin);
    if (at !== undefined) places.set(atom, at);
    if (proof.match.proved.has(twin)) proved.add(atom);
    const mismatch = proof.match.mismatches.get(twin);
    if (mismatch !== undefined) mismatches.set(atom, mismatch);
  }
  return { ...proof, unit, match: { ...proof.match, places, proved, mismatches } };
}

/** What the compiler makes without a name is told by its bytes alone. */
function isSame(atom: Atom, twin: Atom, differences: Forms["differences"]): boolean {
  if (!isDisposable(atom)) return !differences.has(atom);
  return atom.data.equals(twin.data) && atom.references.length === 0 && twin.references.length === 0;
}
