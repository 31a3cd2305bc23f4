/** The first step of the object diff: which atom of the patched unit is which of the original's. */
import { diffArrays } from "diff";
import { usersOf } from "./hooks.ts";
import { isDisposable, isOfCheck, numberedBase, stableName } from "./names.ts";
import type { DiffOptions } from "./options.ts";
import type { Pairing } from "./pairing.ts";
import { renamed } from "./renamed.ts";
import { INITCALL, isFreed, PARAMETERS } from "./roles.ts";
import { type Atom, isCode, type Reference, type Unit } from "./unit.ts";

/** @param moved atoms of other units' originals that the patched unit defines now, by name */
export function correlate(
  original: Unit,
  patched: Unit,
  { isModule, moved }: Pick<DiffOptions, "isModule" | "moved">,
): Pairing {
  const pairing: Pairing = { originalOf: new Map(), patchedOf: new Map() };
  for (const [name, atom] of moved ?? []) {
    const here = patched.definitions.get(name);
    if (here !== undefined) pair(atom, here, pairing);
  }
  pairBySection(original, patched, pairing);
  pairByName(original, patched, pairing, isModule);
  for (const [a, b] of renamed(original, pairing, isModule)) pair(a, b, pairing);
  while (pairByUse(pairing) > 0);
  pairLeftovers(original, patched, pairing, isModule);
  return pairing;
}

function pair(a: Atom, b: Atom, pairing: Pairing): void {
  pairing.patchedOf.set(a, b);
  pairing.originalOf.set(b, a);
}

function isNumbered(atom: Atom): boolean {
  return (atom.kind === "data" || atom.kind === "constant") && numberedBase(atom.name) !== undefined;
}

/** Code with code, and data with data; and what is freed after init is not what lasts, though it has the same name. */
function isSameSort(a: Atom, b: Atom, isModule: boolean): boolean {
  return isCode(a) === isCode(b) && isFreed(a.section, isModule) === isFreed(b.section, isModule);
}

function pairByName(original: Unit, patched: Unit, pairing: Pairing, isModule: boolean): void {
  for (const atom of patched.atoms) {
    if (atom.anonymous || isNumbered(atom) || isDisposable(atom) || pairing.originalOf.has(atom)) continue;
    for (const symbol of atom.symbols) {
      const twin = original.definitions.get(symbol.name);
      if (twin === undefined || pairing.patchedOf.has(twin) || !isSameSort(twin, atom, isModule)) continue;
      pair(twin, atom, pairing);
      break;
    }
  }
}

/** What has no name that lasts: the section's name must do, and the order where it has several; an initcall is told by what it calls. */
function pairBySection(original: Unit, patched: Unit, pairing: Pairing): void {
  const isWhole = (atom: Atom) => {
    const { section, anonymous, kind } = atom;
    if (section.role === "load-time" && section.name !== PARAMETERS) return true;
    return anonymous && kind === "data" && !isOfCheck(atom);
  };
  const key = ({ section, references }: Atom) =>
    [section.name, ...(INITCALL.test(section.name) ? references.map(token) : [])].join(" ");
  const byKey = new Map<string, Atom[]>();
  for (const atom of original.atoms) if (isWhole(atom)) byKey.set(key(atom), [...(byKey.get(key(atom)) ?? []), atom]);
  for (const atom of patched.atoms) {
    const twin = isWhole(atom) ? byKey.get(key(atom))?.shift() : undefined;
    if (twin !== undefined) pair(twin, atom, pairing);
  }
}

/**
 * Static locals have no stable names: they are told by who uses them, and
 * where among their other references (the idea is kpatch's; the alignment by
 * a longest common subsequence is ours).
 * @returns how many pairs were found.
 */
function pairByUse(pairing: Pairing): number {
  const votes = new Map<Atom, Map<Atom, number>>();
  for (const [a, b] of pairing.patchedOf) {
    for (const [x, y] of alignedUses(a, b)) {
      if (pairing.patchedOf.has(x) || pairing.originalOf.has(y)) continue;
      const row = votes.get(y) ?? new Map<Atom, number>();
      row.set(x, (row.get(x) ?? 0) + 1);
      votes.set(y, row);
    }
  }
  const ballots = [...votes].flatMap(([y, row]) => [...row].map(([x, count]) => ({ x, y, count })));
  ballots.sort((p, q) => q.count - p.count);
  let found = 0;
  for (const { x, y } of ballots) {
    if (pairing.patchedOf.has(x) || pairing.originalOf.has(y)) continue;
    pair(x, y, pairing);
    found++;
  }
  return found;
}

function alignedUses(a: Atom, b: Atom): [Atom, Atom][] {
  if (!a.references.some(needsUse) || !b.references.some(needsUse)) return [];
  const before = a.references.map(token);
  const after = b.references.map(token);
  const pairs: [Atom, Atom][] = [];
  const take = (i: number, j: number) => {
    const x = a.references[i]?.target;
    const y = b.references[j]?.target;
    if (x?.kind === "atom" && y?.kind === "atom" && isByUse(x.atom) && isByUse(y.atom)) pairs.push([x.atom, y.atom]);
  };
  if (before.length === after.length && before.every((it, i) => it === after[i])) {
    for (let i = 0; i < before.length; i++) take(i, i);
    return pairs;
  }
  const several = new Set([...severalOf(a), ...severalOf(b)]);
  let i = 0;
  let j = 0;
  for (const run of diffArrays(before, after)) {
    if (run.removed) i += run.value.length;
    else if (run.added) j += run.value.length;
    else for (let k = 0; k < run.value.length; k++) take(i++, j++);
  }
  return pairs.filter(([x]) => !several.has(stableName(x)));
}

/**
 * Names that two variables of one piece of code have: where its references are not those of the
 * original, an alignment may put either in the other's place.
 */
function severalOf({ references }: Atom): string[] {
  const byName = new Map<string, Atom>();
  return references.flatMap(({ target }) => {
    if (target.kind !== "atom" || target.atom.kind !== "data" || !isByUse(target.atom)) return [];
    const name = stableName(target.atom);
    const known = byName.get(name) ?? target.atom;
    byName.set(name, known);
    return known === target.atom ? [] : [name];
  });
}

function isByUse(atom: Atom): boolean {
  return isNumbered(atom) && !isDisposable(atom);
}

function needsUse({ target }: Reference): boolean {
  return target.kind === "atom" && isByUse(target.atom);
}

function token({ target }: Reference): string {
  switch (target.kind) {
    case "atom":
      return stableName(target.atom);
    case "literal":
      return `"${target.literal.bytes}`;
    case "entry":
      return target.entry.table.name;
    case "external":
      return target.name;
    case "absolute":
      return String(target.value);
  }
}

/** What no use told apart: clones that were only renumbered, and static locals that only data refers to, where the base name is unique. */
function pairLeftovers(original: Unit, patched: Unit, pairing: Pairing, isModule: boolean): void {
  const before = leftovers(original, (atom) => !pairing.patchedOf.has(atom));
  const after = leftovers(patched, (atom) => !pairing.originalOf.has(atom));
  for (const [name, atoms] of after) {
    const twins = before.get(name) ?? [];
    for (const atom of atoms) {
      const twin =
        atom.kind === "function"
          ? twins.find((it) => !pairing.patchedOf.has(it) && it.data.equals(atom.data))
          : twins.length === 1 && atoms.length === 1
            ? twins[0]
            : undefined;
      if (twin === undefined || !isSameSort(twin, atom, isModule)) continue;
      if (atom.kind !== "data" || mayBeOneLocal(twin, atom)) pair(twin, atom, pairing);
    }
  }

  /** A function that lasts and had none of the name is no user of another one's: unless functions came or went, which may have had it. */
  function mayBeOneLocal(before: Atom, after: Atom): boolean {
    const had = usersOf(original).get(before) ?? [];
    const has = usersOf(patched).get(after) ?? [];
    const cameOrWent =
      had.some(({ atom }) => !pairing.patchedOf.has(atom)) || has.some(({ atom }) => !pairing.originalOf.has(atom));
    return cameOrWent || had.some(({ atom }) => has.some((user) => user.atom === pairing.patchedOf.get(atom)));
  }
}

function leftovers(unit: Unit, isLeft: (atom: Atom) => boolean): Map<string, Atom[]> {
  const byName = new Map<string, Atom[]>();
  for (const atom of unit.atoms) {
    if (atom.anonymous || isDisposable(atom) || !isLeft(atom)) continue;
    const name = stableName(atom);
    byName.set(name, [...(byName.get(name) ?? []), atom]);
  }
  return byName;
}
