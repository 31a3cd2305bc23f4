/** Variables that the diff puts others in the place of: what the running ones hold would be lost in silence. */
import { type Refusal, refusal } from "../patch/refusal.ts";
import { isDisposable } from "./names.ts";
import type { Pairing } from "./pairing.ts";
import { REQUEST_SECTIONS, type Selection } from "./selection.ts";
import { type Atom, isGlobal, type Unit } from "./unit.ts";

interface Diffed {
  readonly original: Unit;
  readonly patched: Unit;
  readonly pairing: Pairing;
  readonly selection: Selection;
}

/**
 * Refuses a variable that loses its last user while a new one comes that is used
 * where it was: by the same function, be it through functions that came or went,
 * or, where all its users went, by new ones alone and in the same size.
 *
 * @param kept variables that another unit of the diff has now
 */
export function lostStates(diff: Diffed, kept: ReadonlySet<Atom>): Refusal[] {
  const { original, patched, pairing, selection } = diff;
  const fresh = selection.pieces
    .map(({ atom }) => atom)
    .filter((atom) => isState(atom) && !pairing.originalOf.has(atom));
  if (fresh.length === 0) return [];
  const before = usersIn(original);
  const after = usersIn(patched);
  const lost = original.atoms.filter((atom) => {
    if (!isState(atom) || kept.has(atom) || (before.get(atom)?.size ?? 0) === 0) return false;
    const twin = pairing.patchedOf.get(atom);
    return twin === undefined || (after.get(twin)?.size ?? 0) === 0;
  });
  if (lost.length === 0) return [];
  const isGone = (atom: Atom) => !pairing.patchedOf.has(atom);
  const isNew = (atom: Atom) => !pairing.originalOf.has(atom);
  const oldUsers = new Map(lost.map((atom) => [atom, lastingUsers(atom, before, isGone)]));
  const told = new Set<Atom>();
  return fresh.flatMap((now) => {
    const newUsers = lastingUsers(now, after, isNew);
    const candidates = lost.filter((atom) => {
      const users = oldUsers.get(atom) ?? new Set();
      if (users.size === 0 && newUsers.size === 0) return sizeOf(atom) === sizeOf(now);
      return [...users].some((user) => newUsers.has(pairing.patchedOf.get(user) as Atom));
    });
    const byLikeness = candidates.toSorted((a, b) => likeness(b, now) - likeness(a, now));
    const then = byLikeness.find((atom) => !told.has(atom)) ?? byLikeness[0];
    if (then === undefined) return [];
    told.add(then);
    return [replaced(then, now, patched)];
  });
}

/** For a reader: which one of several it most likely was. */
function likeness(then: Atom, now: Atom): number {
  return (isGlobal(then) === isGlobal(now) ? 2 : 0) + (sizeOf(then) === sizeOf(now) ? 1 : 0);
}

function replaced(then: Atom, now: Atom, unit: Unit): Refusal {
  return refusal(
    "VARIABLE_REPLACED",
    `${then.name} loses its last user, and ${now.name}, which is new, is used where it was: what the running ${then.name} holds would be lost`,
    `${unit.name}: ${now.section.name}`,
    "keep the variable and its name, or carry over what it holds in a callback that reads the old one",
  );
}

function isState(atom: Atom): boolean {
  if (atom.kind !== "data" || atom.anonymous || isDisposable(atom) || sizeOf(atom) === 0) return false;
  return atom.section.role === "data" && !atom.section.name.startsWith(REQUEST_SECTIONS);
}

function sizeOf(atom: Atom): number {
  return atom.end - atom.start;
}

/** Who refers to each atom of what runs. */
export function usersIn(unit: Unit): Map<Atom, Set<Atom>> {
  const users = new Map<Atom, Set<Atom>>();
  for (const user of unit.atoms) {
    const { role } = user.section;
    if (role !== "code" && role !== "data" && role !== "constant") continue;
    const references = [...user.references, ...user.entries.flatMap((entry) => entry.references)];
    for (const { target } of references)
      if (target.kind === "atom" && target.atom !== user)
        users.set(target.atom, (users.get(target.atom) ?? new Set()).add(user));
  }
  return users;
}

/** Those that both units have: what came or went is passed over to its own users. */
export function lastingUsers(
  atom: Atom,
  users: ReadonlyMap<Atom, ReadonlySet<Atom>>,
  isPassing: (atom: Atom) => boolean,
): Set<Atom> {
  const lasting = new Set<Atom>();
  const seen = new Set<Atom>([atom]);
  const waiting = [atom];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const user of users.get(next) ?? []) {
      if (seen.has(user)) continue;
      seen.add(user);
      if (isPassing(user)) waiting.push(user);
      else lasting.add(user);
    }
  }
  return lasting;
}
