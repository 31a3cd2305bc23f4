/** Names that a program or library would export with the diff: other objects, and dlsym(), see the table that it has. */

import type { ObjectDiff } from "../../diff/object-diff.ts";
import type { Atom, UnitSymbol } from "../../diff/unit.ts";
import { STB, STV } from "../../elf/constants.ts";
import type { ElfFile } from "../../elf/model.ts";
import { type Findings, findingsOf } from "../../patch/findings.ts";
import type { Note } from "../../patch/metadata.ts";
import { type Refusal, refusal } from "../../patch/refusal.ts";

const SEEN: readonly number[] = [STV.DEFAULT, STV.PROTECTED];

/** What looks a name up that it is given. */
const LOOKS_UP = /^(dlv?sym|g_module_symbol|lt_dlsym)$/;

/** @param shipped the linked file that the unit is part of */
export function newExports({ original, patched, selection }: ObjectDiff, shipped: ElfFile): Findings {
  const exported = new Set(
    shipped.dynamicSymbols.flatMap(({ name, place }) => (place.kind === "undefined" ? [] : [name])),
  );
  const before = new Set(original.atoms.flatMap(seenFrom).map(({ name }) => name));
  // Where none of the unit's names is exported, the linker was told not to.
  if (![...before].some((name) => exported.has(name))) return findingsOf();
  // What was there already counts too: a static function that is static no more.
  const fresh = patched.atoms.flatMap(seenFrom).filter(({ name }) => !before.has(name) && !exported.has(name));
  const looked = selection.pieces.some(({ references }) =>
    references.some(({ destination }) => destination.kind === "external" && LOOKS_UP.test(destination.name)),
  );
  const texts = new Set(
    selection.pieces.flatMap(({ references }) =>
      references.flatMap(({ destination }) => (destination.kind === "literal" ? [destination.literal.bytes] : [])),
    ),
  );
  const refusals: Refusal[] = [];
  const notes: Note[] = [];
  for (const { name } of fresh)
    if (looked && texts.has(`${name}\0`))
      refusals.push(
        refusal(
          "SYMBOL_NOT_FOUND",
          `${name} is newly exported, and new code has its name looked up: dlsym and the like find what the program was linked with, and not what a livepatch brings`,
          patched.name,
          "take its address in code, with no lookup",
        ),
      );
    else
      notes.push({
        code: "NEW_EXPORT",
        text: `${name} would be newly exported: inside the livepatch it is resolved to its own, other objects and dlsym do not find it, and a definition that another object has is not taken in its place`,
      });
  const bound = new Set(
    original.atoms.flatMap(seenFrom).flatMap(({ name, visibility }) => (visibility === STV.PROTECTED ? [name] : [])),
  );
  for (const { name, visibility } of patched.atoms.flatMap(seenFrom))
    if (visibility === STV.DEFAULT && bound.has(name))
      notes.push({
        code: "NEW_EXPORT",
        text: `${name} would be bound inside its object no more: new code goes on with that one, and a definition that another object has is not taken in its place`,
      });
  return findingsOf({ refusals, notes });
}

/** An atom's names that other objects would see. */
function seenFrom({ kind, symbols }: Atom): UnitSymbol[] {
  if (kind === "code") return [];
  return symbols.filter(({ binding, visibility }) => binding === STB.GLOBAL && SEEN.includes(visibility));
}
