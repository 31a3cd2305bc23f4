/** The proof of one unit of a program: in which shipped objects it is, and how much of it is there byte for byte. */

import { explainBytes } from "../../../builder/explain-mismatch.ts";
import { STB } from "../../../elf/constants.ts";
import type { ElfFile } from "../../../elf/model.ts";
import type { ProofRecord } from "../../../patch/metadata.ts";
import type { ShippedProgram } from "../shipped/shipped-program.ts";
import { matchObject, type ObjectMatch } from "./match-object.ts";
import type { ProgramMismatch } from "./mismatch.ts";
import type { PlacedFunction } from "./placed-function.ts";
import { PlainObject } from "./plain-object.ts";

/** A unit beside one object, part of it or not: that is what `match` says. */
export interface ProgramProof {
  readonly source: string;
  readonly shipped: ShippedProgram;
  readonly object: PlainObject;
  readonly match: ObjectMatch;
  /** Names of functions that the linker folded into one with others: a hook in one would be in all. */
  readonly folded: ReadonlySet<string>;
}

/** What fewer of a unit's functions say is chance: small ones are alike everywhere. */
const LEAST_SHARE = 0.5;

/** Looks for all code of the unit in the object; names play no part where there are none. */
export function proveIn(source: string, file: ElfFile, shipped: ShippedProgram): ProgramProof {
  const object = new PlainObject(file);
  const match = matchObject(object, shipped);
  return { source, shipped, object, match, folded: foldedIn(object, match.proved) };
}

/** A few instructions may stand anywhere; bytes of code. */
const LEAST_CODE = 48;
/** Still fewer tell nothing at all, even where they stand once in all of what ships. */
const LEAST_UNIQUE_CODE = 16;

/** Whether the unit is part of the object that it was looked for in. */
export function isPart({ shipped, object, match: { proved, mismatches } }: ProgramProof): boolean {
  if (proved.size === 0 || proved.size < LEAST_SHARE * (proved.size + mismatches.size)) return false;
  if (!hasOwn(object, proved)) return false;
  const isNamed = [...proved].some(([name, { at }]) => shipped.places(name).some((each) => each.at === at));
  return isNamed || provedCode(proved) >= LEAST_CODE;
}

/** Functions of a header are in each unit that uses them: one that is this unit's alone has to be there too, if it has any. */
function hasOwn({ functions }: PlainObject, proved: ObjectMatch["proved"]): boolean {
  const own = functions.filter(({ symbol: { binding } }) => binding === STB.GLOBAL);
  return own.length === 0 || own.some(({ symbol: { name } }) => proved.has(name));
}

/**
 * Whether a unit that is not taken for a part of the object may be one all the same:
 * much of it is there by its bytes, though that is too little to be no chance, or by
 * its names, though compiled otherwise. What lies where a part has its code is that
 * part's, as where one source is taken into another.
 * @param parts of any object
 */
export function mayBePart({ shipped, match: { proved, mismatches } }: ProgramProof, parts: Parts): boolean {
  const spans = parts.flatMap((part) => (part.shipped === shipped ? spansOf(part) : []));
  const isIn = (at: number) => spans.some(([start, end]) => at >= start && at < end);
  const isHeld = (name: string, at: number) => {
    const named = shipped.places(name);
    return isIn(at) || (named.length > 0 && named.every((place) => isIn(place.at)));
  };
  const differ = [...mismatches].filter(([, { kind }]) => kind !== "absent");
  const there = [...proved, ...differ].filter(([name, each]) => !("at" in each) || !isHeld(name, each.at)).length;
  return there > 0 && there >= LEAST_SHARE * (proved.size + mismatches.size);
}

type Parts = readonly ProgramProof[];

/** Where the linker has put sections of which functions are proved, [from, to): each as a whole. */
function spansOf({ object, match }: ProgramProof): [number, number][] {
  return object.functions.flatMap(({ symbol, section, start }) => {
    const at = match.proved.get(symbol.name)?.at;
    return at === undefined ? [] : [[at - start, at - start + section.size]];
  });
}

/** Whether all of a unit stands in an object, as it would if it were linked into it, though that is too little to tell. */
export function standsIn(proof: ProgramProof, parts: Parts): boolean {
  return mayBePart(proof, parts) && isWhole(proof);
}

function provedCode(proved: ObjectMatch["proved"]): number {
  return [...proved.values()].reduce((sum, { size }) => sum + size, 0);
}

function isWhole({ match: { proved, mismatches } }: ProgramProof): boolean {
  return proved.size > 0 && [...mismatches.values()].every(({ kind }) => kind === "absent");
}

/** What of the functions of two variants has to lie at the same places. */
const SAME_SHARE = 0.9;

/**
 * The objects that a unit is part of. Where one has all of it, others that have
 * much of it hold another file that was written alike. A unit of a few instructions
 * is part of the only object that has them.
 * @param proofs of one unit, one for each object
 */
export function partsOf(proofs: readonly ProgramProof[]): ProgramProof[] {
  const parts = proofs.filter(isPart);
  if (parts.length === 0) {
    const small = proofs.filter((each) => isWhole(each) && provedCode(each.match.proved) >= LEAST_UNIQUE_CODE);
    return small.length === 1 ? small : [];
  }
  const whole = parts.filter(isWhole);
  return whole.length > 0 ? whole : parts;
}

/**
 * Whether another unit of the same source is what was linked, as when a library
 * is compiled with and without -fPIC: much of the code is the same then, and one
 * place holds one of them.
 */
export function isOtherVariant(proof: ProgramProof, all: readonly ProgramProof[]): boolean {
  const { source, shipped, match } = proof;
  const places = [...match.proved.values()];
  return all.some((other) => {
    if (other.source !== source || other.shipped !== shipped) return false;
    if (other.match.proved.size <= match.proved.size) return false;
    const taken = new Set([...other.match.proved.values()].map(({ at }) => at));
    return places.filter(({ at }) => taken.has(at)).length >= SAME_SHARE * places.length;
  });
}

function foldedIn(object: PlainObject, proved: ReadonlyMap<string, PlacedFunction>): Set<string> {
  const byPlace = new Map<number, Set<string>>();
  const own = new Map(object.functions.map((each) => [each.symbol.name, `${each.section.index}:${each.start}`]));
  for (const [name, { at }] of proved) {
    const places = byPlace.get(at) ?? new Set();
    places.add(own.get(name) ?? name);
    byPlace.set(at, places);
  }
  const isShared = (at: number) => (byPlace.get(at)?.size ?? 0) > 1;
  return new Set([...proved].flatMap(([name, { at }]) => (isShared(at) ? [name] : [])));
}

/** The proof as metadata keep it, every difference explained. */
export async function proofRecord(proof: ProgramProof): Promise<ProofRecord> {
  const { source, shipped, match } = proof;
  const absent: string[] = [];
  const differing: { name: string; reason: string }[] = [];
  for (const [name, mismatch] of match.mismatches) {
    if (mismatch.kind === "absent") absent.push(name);
    else differing.push({ name, reason: await reasonOf(name, mismatch, proof) });
  }
  return { source, object: shipped.object, proved: match.proved.size, absent, differing };
}

/** Why a function counts as not proved, as the end of a sentence. */
export async function reasonOf(
  name: string,
  mismatch: ProgramMismatch,
  { object, shipped }: ProgramProof,
): Promise<string> {
  switch (mismatch.kind) {
    case "absent":
      return "it is not in what ships";
    case "ambiguous":
      return `its code is in ${mismatch.places.length} places of what ships, and nothing says which one it is`;
    case "target":
      return `at +0x${mismatch.offset.toString(16)} it refers to ${mismatch.wanted}, and what ships to ${mismatch.found}: another version of the source, most likely`;
    case "bytes": {
      const own = object.functions.find(({ symbol }) => symbol.name === name);
      if (own === undefined) return "it differs";
      const { section, start, size } = own;
      const code = section.data.subarray(start, start + size);
      const difference = await explainBytes(
        object.arch,
        { own: code, shipped: shipped.bytes(mismatch.at, size) },
        mismatch.offset,
      );
      return `at +0x${mismatch.offset.toString(16)} it has ${difference}: another compiler, other flags or another version of the source, most likely`;
    }
  }
}
