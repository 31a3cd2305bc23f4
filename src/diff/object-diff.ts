/** The object diff: from two objects of one translation unit to what a livepatch must bring. */

import type { ElfFile } from "../elf/model.ts";
import { SutureError } from "../lib/error.ts";
import type { FateRecord, LeftOutRecord, Note } from "../patch/metadata.ts";
import type { Refusal } from "../patch/refusal.ts";
import { account } from "./account.ts";
import { compare } from "./compare.ts";
import { correlate } from "./correlate.ts";
import { include } from "./include.ts";
import { notesOf } from "./notes.ts";
import type { DiffOptions } from "./options.ts";
import type { Pairing } from "./pairing.ts";
import { propagate } from "./propagate.ts";
import { readUnit } from "./read-unit.ts";
import type { Selection } from "./selection.ts";
import type { TableSizes } from "./tables.ts";
import type { Unit } from "./unit.ts";

/**
 * Only without `refusals` is `selection` all that has to be brought. `pairing` tells
 * which atoms of the two units stand for one another.
 */
export interface ObjectDiff {
  readonly original: Unit;
  readonly patched: Unit;
  readonly pairing: Pairing;
  readonly selection: Selection;
  readonly refusals: readonly Refusal[];
  /** Differences without effect on a running kernel. */
  readonly leftOut: readonly LeftOutRecord[];
  readonly notes: readonly Note[];
  readonly fates: readonly FateRecord[];
}

/**
 * Reads both objects and takes the steps of `diffUnits`.
 * @throws SutureError for objects that cannot be read or are for different machines; what cannot be patched is in `refusals`.
 */
export function objectDiff(original: ElfFile, patched: ElfFile, sizes: TableSizes, options: DiffOptions): ObjectDiff {
  const units = [readUnit(original, sizes), readUnit(patched, sizes)] as const;
  const [before, after] = units.map(({ arch }) => arch.name);
  if (before !== after)
    throw new SutureError("MACHINES_DIFFER", `the original is for ${before}, and the patched object for ${after}`, {
      where: `${original.name}, ${patched.name}`,
      hint: "compile both with the same compiler",
    });
  return diffUnits(...units, options);
}

/** Steps: correlate, compare, propagate, include, account. */
export function diffUnits(original: Unit, patched: Unit, options: DiffOptions): ObjectDiff {
  const pairing = correlate(original, patched, options);
  const { differences, inLines } = compare(patched, pairing);
  const propagation = propagate({ original, patched }, pairing, differences, options);
  const inclusion = include({ original, patched, pairing }, propagation, options);
  const { changes, leftOut } = propagation;
  const { selection } = inclusion;
  const books = account({ original, patched, pairing, selection, leftOut, inLines, options });
  const refusals = [...propagation.refusals, ...inclusion.refusals];
  return {
    original,
    patched,
    pairing,
    selection,
    // Of what is refused already, no more need be said.
    refusals: refusals.length > 0 ? refusals : books.refusals,
    leftOut: books.leftOut,
    notes: notesOf({ original, patched, pairing }, changes, selection),
    fates: books.fates,
  };
}
