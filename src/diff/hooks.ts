/** Which functions can be redirected at their entry. */

import { isCold } from "./names.ts";
import type { DiffOptions } from "./options.ts";
import type { Pairing } from "./pairing.ts";
import { type Atom, entryOffset, type Reference, type Unit } from "./unit.ts";

/**
 * ftrace takes hold of a call at the entry, or of what a table of hooks lists. That NOPs
 * stand before the entry, as `__patchable_function_entries` tells, says nothing of it: every
 * function has them.
 */
function hasHook(atom: Atom): boolean {
  const entry = entryOffset(atom);
  const { callee, farthest } = atom.section.arch.kernel.entryHook;
  if (atom.entries.some(({ table }) => table.isHook === true)) return true;
  if (atom.emptiedHook !== undefined && atom.emptiedHook - entry <= farthest) return true;
  if (callee === undefined) return false;
  return atom.references.some(
    ({ target, offset }) => target.kind === "external" && target.name === callee && offset - entry <= farthest,
  );
}

/** Whether the running version of a function can be redirected: a new one has none. */
export function isHookable(patched: Atom, pairing: Pairing, options: DiffOptions): boolean {
  return whyNoHook(patched, pairing, options) === undefined;
}

/** The end of a sentence that begins with the function's name. */
export function whyNoHook(patched: Atom, pairing: Pairing, options: DiffOptions): string | undefined {
  const running = pairing.originalOf.get(patched) ?? patched;
  if (options.isAbsent?.(running) === true) return "runs as a part of its callers alone";
  if (options.needsHook && !hasHook(running)) return "has no hook at its entry";
  if (isCold(running.name)) return "is entered in the middle of its function";
  return options.whyNoHook?.(running);
}

/** The function that the kernel calls when a module is unloaded: it reaches it through a pointer, which a livepatch can set. */
export function isModuleExit(atom: Atom): boolean {
  return atom.symbols.some((symbol) => symbol.name === "cleanup_module");
}

/** A call or a jump, as against an address that is taken. */
export function isBranch(from: Atom, { type, offset }: Reference): boolean {
  return (
    from.kind !== "constant" && from.kind !== "data" && from.section.arch.code.isBranchField(from.data, offset, type)
  );
}

/** Who refers to an atom, by one of its references. */
export interface User {
  readonly atom: Atom;
  /** Whether it calls or jumps there: else it has the address. */
  readonly isBranch: boolean;
  /** Where in the used atom the reference points, from its start. */
  readonly offset: number;
}

/** Who refers to each atom, its special entries included. */
export function usersOf(unit: Unit): Map<Atom, User[]> {
  const users = new Map<Atom, User[]>();
  const add = (user: Atom, references: Atom["references"], skip?: number) => {
    for (const reference of references) {
      const { target, offset } = reference;
      if (target.kind !== "atom" || target.atom === user || offset === skip) continue;
      const list = users.get(target.atom) ?? [];
      list.push({ atom: user, offset: target.offset, isBranch: skip === undefined && isBranch(user, reference) });
      users.set(target.atom, list);
    }
  };
  for (const atom of unit.atoms) {
    add(atom, atom.references);
    for (const entry of atom.entries) add(atom, entry.references as Atom["references"], entry.table.key);
  }
  return users;
}
