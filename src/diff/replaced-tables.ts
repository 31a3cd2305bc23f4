/**
 * Tables of functions that a new one takes the place of: a class of C++ that is renamed,
 * operations under another name. What was made with the older one keeps it.
 */
import { lastingUsers, usersIn } from "./lost-state.ts";
import type { PairedUnits } from "./pairing.ts";
import type { Atom } from "./unit.ts";

/** By a new table, the running one that is gone from the same code, and leads elsewhere. */
export function replacedTables({ original, patched, pairing }: PairedUnits): ReadonlyMap<Atom, Atom> {
  const isGone = (atom: Atom) => !pairing.patchedOf.has(atom);
  const isNew = (atom: Atom) => !pairing.originalOf.has(atom);
  const lost = original.atoms.filter((atom) => isTable(atom) && isGone(atom));
  const fresh = lost.length === 0 ? [] : patched.atoms.filter((atom) => isTable(atom) && isNew(atom));
  if (fresh.length === 0) return new Map();
  const [before, after] = [usersIn(original), usersIn(patched)];
  const olds = lost.map((atom) => ({ atom, users: lastingUsers(atom, before, isGone) }));
  return new Map(
    fresh.flatMap((now): [Atom, Atom][] => {
      const users = lastingUsers(now, after, isNew);
      const old = olds.find((each) =>
        [...each.users].some((user) => users.has(pairing.patchedOf.get(user) as Atom)),
      )?.atom;
      if (old === undefined) return [];
      const functions = functionsOf(old);
      const leadsOn = functions.map((each) => pairing.patchedOf.get(each));
      const isSame = functionsOf(now).every((each, i) => each === leadsOn[i]) && leadsOn.every(Boolean);
      return isSame ? [] : [[now, old]];
    }),
  );
}

function isTable(atom: Atom): boolean {
  return atom.kind === "constant" && !atom.anonymous && functionsOf(atom).length > 0;
}

function functionsOf({ references }: Atom): Atom[] {
  return references.flatMap(({ target }) =>
    target.kind === "atom" && target.atom.kind === "function" ? [target.atom] : [],
  );
}
