/**
 * New variables that only start code would set up: it has run, and they would
 * keep the zeros that they begin with. An initial value that is a constant
 * comes with the variable; what a constructor, an initcall or the like makes
 * does not.
 */
import { type Refusal, refusal } from "../patch/refusal.ts";
import { usesOnly } from "./handed-out.ts";
import { isBranch } from "./hooks.ts";
import type { Pairing } from "./pairing.ts";
import { CONSTRUCTORS } from "./roles.ts";
import { CALLBACK_SECTION, REQUEST_SECTIONS, type Selection } from "./selection.ts";
import { type Atom, isCode, isGlobal, type Target, type Unit } from "./unit.ts";

interface Diffed {
  readonly patched: Unit;
  readonly pairing: Pairing;
  readonly selection: Selection;
}

/**
 * Refuses what start code writes to, or passes the address of, and no callback has to do with.
 * @param diffs of units of one object
 */
export function neverSetUp(diffs: readonly Diffed[]): Refusal[] {
  const fresh = diffs.flatMap((of) =>
    of.selection.pieces.filter(({ atom }) => isVariable(atom, of.pairing)).map(({ atom }) => ({ of, atom })),
  );
  if (fresh.length === 0) return [];
  const called = new Set(diffs.flatMap(({ patched }) => touched(callbacksOf(patched), isCode)));
  const starts = diffs.map(({ patched }) => ({ patched, code: startCode(patched) }));
  return fresh.flatMap(({ of, atom }) => {
    if (called.has(atom)) return [];
    for (const { patched, code } of starts) {
      const isIt = (target: Target) =>
        target.kind === "atom" ? target.atom === atom : patched !== of.patched && isNamedBy(target, atom);
      const setter = code.find((user) => !usesOnly(user, isIt, user.section.arch.code.loadsAt));
      if (setter !== undefined) return [refused(atom, of.patched, setter)];
    }
    return [];
  });
}

function refused(variable: Atom, unit: Unit, setter: Atom): Refusal {
  const isFreed = setter.section.role === "init";
  return refusal(
    "NEEDS_INIT",
    `${variable.name} is new, and ${setter.name}, which sets it up, ${isFreed ? "has run and been freed before a livepatch can come" : "runs only when its object is started"}`,
    `${unit.name}: ${variable.section.name}`,
    "set it up in a pre-patch callback, or where it is used for the first time",
  );
}

function isVariable(atom: Atom, pairing: Pairing): boolean {
  if (atom.kind !== "data" || atom.section.role !== "data" || pairing.originalOf.has(atom)) return false;
  return !atom.section.name.startsWith(REQUEST_SECTIONS);
}

function isNamedBy(target: Target, atom: Atom): boolean {
  return (
    target.kind === "external" && atom.symbols.some((symbol) => symbol.name === target.name && symbol.binding !== 0)
  );
}

/** Init code and data, constructors, and static functions that nothing else calls and nobody has the address of. */
function startCode(unit: Unit): Atom[] {
  const users = new Map<Atom, Set<Atom>>();
  for (const user of unit.atoms)
    for (const atom of targetsOf(user)) if (atom !== user) users.set(atom, (users.get(atom) ?? new Set()).add(user));
  const isTable = ({ section }: Atom) => CONSTRUCTORS.test(section.name);
  const isAsked = ({ section }: Atom) => section.name === COMMAND_LINE;
  // What only a parameter on the command line has called was not called: the running kernel does not know that one.
  const asked = withUsedAlone(unit.atoms.filter(isAsked), users, isCode);
  const init = unit.atoms.filter((atom) => isTable(atom) || (atom.section.role === "init" && !asked.has(atom)));
  const constructed = init.filter(isTable).flatMap(targetsOf);
  const handedOut = new Set(unit.atoms.filter((user) => !isTable(user)).flatMap(addressesIn));
  const isCalledAlone = (atom: Atom) => isCode(atom) && !isGlobal(atom) && !handedOut.has(atom);
  const found = withUsedAlone([...init, ...constructed], users, isCalledAlone);
  return [...found].filter((atom) => !isTable(atom));
}

/** Where the kernel has the functions for parameters of its command line. */
const COMMAND_LINE = ".init.setup";

/** With what only these use, and what only those use. */
function withUsedAlone(
  atoms: readonly Atom[],
  users: ReadonlyMap<Atom, ReadonlySet<Atom>>,
  isMeant: (atom: Atom) => boolean,
): Set<Atom> {
  const found = new Set(atoms);
  for (let size = -1; size !== found.size; ) {
    size = found.size;
    for (const [atom, by] of users) if (isMeant(atom) && [...by].every((user) => found.has(user))) found.add(atom);
  }
  return found;
}

function callbacksOf(unit: Unit): Atom[] {
  return unit.atoms.filter(({ section }) => section.name.startsWith(CALLBACK_SECTION));
}

/** What the atoms refer to, directly or through others of a kind. */
function touched(from: readonly Atom[], isPassing: (atom: Atom) => boolean): Atom[] {
  const seen = new Set<Atom>();
  const waiting = [...from];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const atom of targetsOf(next)) {
      if (seen.has(atom)) continue;
      seen.add(atom);
      if (isPassing(atom)) waiting.push(atom);
    }
  }
  return [...seen];
}

/** The functions whose address an atom has, by which they may be called at any time. */
function addressesIn(atom: Atom): Atom[] {
  const taken = atom.references.filter((reference) => !isBranch(atom, reference));
  return taken.flatMap(({ target }) =>
    target.kind === "atom" && target.atom.kind === "function" ? [target.atom] : [],
  );
}

function targetsOf(atom: Atom): Atom[] {
  const references = [...atom.references, ...atom.entries.flatMap((entry) => entry.references)];
  return references.flatMap(({ target }) => (target.kind === "atom" ? [target.atom] : []));
}
