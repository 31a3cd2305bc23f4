/** The proof of one translation unit, as it goes into the livepatch and as the linker asks for it. */

import { explainMismatch } from "../../../builder/explain-mismatch.ts";
import type { Mismatch } from "../../../builder/mismatch.ts";
import { type Atom, isGlobal, type Unit } from "../../../diff/unit.ts";
import type { ProofRecord } from "../../../patch/metadata.ts";
import { matchUnit, type UnitMatch } from "./match-unit.ts";
import type { Shipped } from "./shipped.ts";

/** A unit beside one object that it is part of. */
export interface Proof {
  readonly unit: Unit;
  readonly shipped: Shipped;
  readonly match: UnitMatch;
  readonly record: ProofRecord;
}

/**
 * @param plain the same unit compiled as it was shipped, without a section for
 * each function: the assembler shortens some jumps there, so that a function
 * may be found only in this form
 */
export async function proveUnit(
  source: string,
  unit: Unit,
  shipped: Shipped,
  plain: () => Promise<Unit>,
): Promise<Proof> {
  const first = matchUnit(unit, shipped);
  const match = first.mismatches.size === 0 ? first : settleByPlain(unit, first, matchUnit(await plain(), shipped));
  const absent: string[] = [];
  const differing: { name: string; reason: string }[] = [];
  for (const [atom, mismatch] of match.mismatches) {
    if (mismatch.kind === "absent" || isOverridden(atom, mismatch)) absent.push(atom.name);
    else differing.push({ name: atom.name, reason: await explainMismatch(atom, mismatch, shipped) });
  }
  return {
    unit,
    shipped,
    match,
    record: { source, object: shipped.object, proved: match.proved.size, absent, differing },
  };
}

/** A weak function that another definition replaced: it is in the object, and not in what ships. */
function isOverridden(atom: Atom, mismatch: Mismatch): boolean {
  return mismatch.kind !== "absent" && isGlobal(atom) && atom.symbols.every(({ binding }) => binding === 2);
}

/** Takes from the plain form what the form with sections did not show. */
function settleByPlain(unit: Unit, match: UnitMatch, plain: UnitMatch): UnitMatch {
  const byName = new Map<string, number>();
  for (const atom of plain.proved) {
    const at = plain.places.get(atom);
    if (at === undefined) continue;
    for (const symbol of atom.symbols) byName.set(symbol.name, at + symbol.value - atom.start);
  }
  const places = new Map(match.places);
  const proved = new Set(match.proved);
  const mismatches = new Map(match.mismatches);
  for (const atom of unit.atoms) {
    const symbol = atom.symbols.find(({ name }) => byName.has(name));
    const at = symbol === undefined ? undefined : byName.get(symbol.name);
    if (symbol === undefined || at === undefined || !mismatches.has(atom)) continue;
    places.set(atom, at - (symbol.value - atom.start));
    proved.add(atom);
    mismatches.delete(atom);
  }
  const externals = new Map([...plain.externals, ...match.externals]);
  const literals = new Map([...plain.literals, ...match.literals]);
  return { places: settleData(unit, places, plain), externals, literals, proved, mismatches };
}

/** Variables that only functions in their plain form refer to. */
function settleData(unit: Unit, places: Map<Atom, number>, plain: UnitMatch): Map<Atom, number> {
  const byName = new Map<string, number>();
  for (const [atom, at] of plain.places)
    for (const symbol of atom.symbols) byName.set(symbol.name, at + symbol.value - atom.start);
  for (const atom of unit.atoms) {
    const first = atom.symbols[0];
    const at = first === undefined ? undefined : byName.get(first.name);
    if (first === undefined || at === undefined || places.has(atom) || atom.kind === "function") continue;
    places.set(atom, at - (first.value - atom.start));
  }
  return places;
}
