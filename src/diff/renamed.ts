/**
 * Static functions in whose place another one comes: they are renamed, or a table
 * names a new one. Who has the address of such a function, by what init code has
 * handed out or by a table, goes on with the running one: so that one is led to
 * what has taken its place.
 */

import { type Refusal, refusal } from "../patch/refusal.ts";
import type { Books } from "./books.ts";
import { isBranch, usersOf } from "./hooks.ts";
import { isOfCheck, stableName } from "./names.ts";
import type { Pairing } from "./pairing.ts";
import { isFreed } from "./roles.ts";
import { type Atom, entryOffset, isGlobal, type Reference, type Unit } from "./unit.ts";

/**
 * Of the functions that only one of the units has: those of which each place that
 * has the address of the one has that of the other now. Where something else is
 * there, or it is not clear which place is which, the two are not the same.
 */
export function renamed(original: Unit, pairing: Pairing, isModule: boolean): [original: Atom, patched: Atom][] {
  const now = new Map<Atom, Set<Atom | undefined>>();
  const before = new Map<Atom, Set<Atom>>();
  const isLeft = (atom: Atom) =>
    atom.section.role === "code" &&
    !isFreed(atom.section, isModule) &&
    !isGlobal(atom) &&
    !pairing.patchedOf.has(atom) &&
    !pairing.originalOf.has(atom);
  for (const a of original.atoms) {
    const had = addressed(a, isLeft);
    if (!had.some(Boolean)) continue;
    const b = pairing.patchedOf.get(a);
    const has = b === undefined ? [] : addressed(b, isLeft);
    const isClear = b !== undefined && isAligned(a, b, had, has);
    for (const [i, function_] of had.entries()) {
      if (function_ === undefined) continue;
      const other = isClear ? has[i] : undefined;
      now.set(function_, (now.get(function_) ?? new Set()).add(other));
      if (other !== undefined) before.set(other, (before.get(other) ?? new Set()).add(function_));
    }
  }
  return [...now].flatMap(([function_, others]): [Atom, Atom][] => {
    const [only] = others;
    return only !== undefined && others.size === 1 && before.get(only)?.size === 1 ? [[function_, only]] : [];
  });
}

/**
 * Functions that init code has handed out, that are gone, and in whose place there
 * may be a new one: it is not clear which, since that init code is another.
 */
export function replacedAtStart({ original, patched, pairing }: Books): Refusal[] {
  const isOld = (atom: Atom) => atom.section.role === "code" && !pairing.patchedOf.has(atom);
  const isNew = (atom: Atom) => atom.section.role === "code" && !pairing.originalOf.has(atom);
  return original.atoms.flatMap((start) => {
    const now = start.section.role === "init" ? pairing.patchedOf.get(start) : undefined;
    const fresh = now === undefined ? undefined : addressed(now, isNew).find((each) => each !== undefined);
    const gone = fresh === undefined ? undefined : addressed(start, isOld).find((each) => each !== undefined);
    if (fresh === undefined || gone === undefined) return [];
    return [
      refusal(
        "FUNCTION_REPLACED",
        `${gone.name} is gone, and ${start.name}, which has run, has handed it out: what has its address goes on with it, and does not reach ${fresh.name}`,
        `${patched.name}: ${gone.section.name}`,
        "let the function keep its name, so that what has its address is led to the new code",
      ),
    ];
  });
}

/**
 * Functions whose names have been handed on: where one's address was, there is now that of
 * another name with the same code, and the running function of that name would be led to it.
 */
export function handedOnNames({ patched, pairing, selection }: Books): Refusal[] {
  if (selection.funcs.length === 0) return [];
  const users = usersOf(patched);
  return selection.funcs.flatMap(({ original: before, patched: atom }) => {
    const had = (users.get(atom) ?? []).flatMap(({ isBranch, atom: user }) =>
      isBranch ? [] : stoodFor(atom, user, pairing),
    );
    const other = had.find((each) => each !== before && isSameCode(each, atom));
    if (other === undefined) return [];
    return [
      refusal(
        "FUNCTION_NAME_MOVED",
        `${atom.name} is what ${other.name} was, by its code and by where its address is, and the running ${before.name} would be led to it`,
        `${patched.name}: ${atom.section.name}`,
        "give what is renamed a name that nothing has had",
      ),
    ];
  });
}

/** What the user's original has the address of wherever the user has that of a function; nothing where it is not clear. */
function stoodFor(function_: Atom, user: Atom, { originalOf }: Pairing): Atom[] {
  const was = originalOf.get(user);
  if (was === undefined) return [];
  const [had, has] = [was, user].map((each) => addressed(each, () => true)) as [Addressed, Addressed];
  if (!isAligned(was, user, had, has)) return [];
  return has.flatMap((each, i) => (each === function_ ? (had[i] ?? []) : []));
}

function isSameCode(a: Atom, b: Atom): boolean {
  if (!a.data.equals(b.data) || a.references.length !== b.references.length) return false;
  return a.references.every((x, i) => {
    const y = b.references[i] as Reference;
    return x.offset === y.offset && x.type === y.type && token(x) === token(y) && text(x) === text(y);
  });
}

function text({ target }: Reference): string {
  return target.kind === "literal" ? `${target.offset} ${target.literal.bytes}` : "";
}

type Addressed = readonly (Atom | undefined)[];

/** For each reference of an atom the function of which it takes the address, where that is one of those left. */
function addressed(from: Atom, isLeft: (atom: Atom) => boolean): Addressed {
  return from.references.map((reference) => {
    const { target } = reference;
    if (target.kind !== "atom" || target.atom.kind !== "function") return undefined;
    const isTaken = target.offset === entryOffset(target.atom) && !isBranch(from, reference);
    return isTaken && isLeft(target.atom) ? target.atom : undefined;
  });
}

/** Whether the references of two atoms are of the same things one by one, but for those addresses. */
function isAligned(a: Atom, b: Atom, before: readonly unknown[], after: readonly unknown[]): boolean {
  if (a.references.length !== b.references.length) return false;
  return a.references.every((reference, i) => {
    if (before[i] !== undefined || after[i] !== undefined) return true;
    return token(reference) === token(b.references[i] as Reference);
  });
}

function token({ target }: Reference): string {
  switch (target.kind) {
    case "atom":
      return target.atom.anonymous && !isOfCheck(target.atom) ? target.atom.section.name : stableName(target.atom);
    case "entry":
      return target.entry.table.name;
    case "literal":
      return "";
    case "external":
      return target.name;
    case "absolute":
      return "";
  }
}

/** Sentences that name what takes a function's place, and what has its address. */
export function renamedFunctions(patched: Unit, { originalOf }: Pairing): string[] {
  const users = usersOf(patched);
  return patched.atoms.flatMap((atom) => {
    const before = originalOf.get(atom);
    if (before === undefined || atom.kind !== "function" || atom.anonymous || isSameName(before, atom)) return [];
    const takers = (users.get(atom) ?? []).filter(({ isBranch }) => !isBranch).map((user) => user.atom.name);
    const where = takers.length === 0 ? "" : ` wherever its address is (${[...new Set(takers)].join(", ")})`;
    return [`the running ${before.name} stands for ${atom.name}, which takes its place${where}`];
  });
}

/** Whether two versions of a function go by one name, numbers of the compiler aside. */
export function isSameName(a: Atom, b: Atom): boolean {
  return stableName(a) === stableName(b) || a.symbols.some(({ name }) => b.symbols.some((each) => each.name === name));
}
