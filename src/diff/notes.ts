/** What the object diff did beyond replacing functions, told to the reader of `explain`. */
import type { Note } from "../patch/metadata.ts";
import { exportNotes } from "./exports.ts";
import type { PairedUnits, Pairing } from "./pairing.ts";
import type { Change } from "./propagate.ts";
import { renamedFunctions } from "./renamed.ts";
import { REQUEST_SECTIONS, type Selection } from "./selection.ts";
import { setUpOnce } from "./set-up-once.ts";
import type { Atom } from "./unit.ts";

/** Notes in the order of the pieces, then of the unit as a whole. Refuses nothing: what is told here is done. */
export function notesOf(
  { original, patched, pairing }: PairedUnits,
  changes: ReadonlyMap<Atom, Change>,
  selection: Selection,
): Note[] {
  const notes: Note[] = [];
  for (const { atom } of selection.pieces) {
    const change = changes.get(atom);
    if (atom.kind === "constant" && change?.by === "difference")
      notes.push({
        code: "CONSTANT_TRAVELS",
        text: `the changed constant ${atom.name} travels with the functions that use it`,
      });
    if (atom.kind === "function" && pairing.originalOf.has(atom) && change !== undefined && isCarried(atom, selection))
      notes.push({
        code: "CARRIED_INTO_CALLERS",
        text: `${atom.name} cannot be redirected at its entry: its new version is called by the new versions of its callers`,
      });
    if (isNewVariable(atom, pairing))
      notes.push({
        code: "NEW_DATA",
        text: `${atom.name} (${atom.end - atom.start} bytes) starts with its initial value`,
      });
  }
  if (selection.moduleExit !== undefined)
    notes.push({
      code: "MODULE_EXIT",
      text: `the module's exit function is set to its new version while the livepatch is enabled`,
    });
  for (const name of setUpOnce(pairing, changes, selection))
    notes.push({
      code: "SET_UP_ONCE",
      text: `${name} is set up by the first call of its function: where that has been, it stays as it was made, and what sets it up otherwise is without effect until the program starts anew`,
    });
  for (const text of renamedFunctions(patched, pairing)) notes.push({ code: "FUNCTION_RENAMED", text });
  return [...notes, ...exportNotes(original, patched)];
}

function isNewVariable(atom: Atom, pairing: Pairing): boolean {
  if (atom.kind !== "data" || atom.anonymous || atom.section.name.startsWith(REQUEST_SECTIONS)) return false;
  return !pairing.originalOf.has(atom) && atom.symbols[0]?.size !== 0;
}

function isCarried(atom: Atom, selection: Selection): boolean {
  return (
    !selection.funcs.some((func) => func.patched === atom) &&
    selection.moduleExit?.patched !== atom &&
    !/\.cold/.test(atom.name)
  );
}
