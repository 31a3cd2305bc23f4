/**
 * What new code takes for granted of functions that stay as they are: which
 * registers they leave alone, which memory, which arguments they are given. The
 * compiler knows it of all functions of a file, and another livepatch may replace
 * them. Names of what is called are found here; what is found goes with the
 * livepatch, and such a one is not loaded beside it.
 */
import { compare } from "../diff/compare.ts";
import { correlate } from "../diff/correlate.ts";
import { isBranch } from "../diff/hooks.ts";
import { isCold } from "../diff/names.ts";
import type { ObjectDiff } from "../diff/object-diff.ts";
import type { Atom, Unit } from "../diff/unit.ts";
import type { Compiler } from "../provider/toolchain/compiler.ts";

/** By GCC's manual what it has to be told where functions may be replaced alone. */
const APART = "-flive-patching=inline-clone";

/** Options by which a file is compiled without that knowledge; undefined where the compiler has none. */
export function apartOptions({ text }: Compiler): string[] | undefined {
  return /clang/i.test(text) ? undefined : [APART];
}

/** Functions of the unit that new code calls, and that stay. */
export function calledOriginals({ selection }: ObjectDiff): Atom[] {
  const called = new Set<Atom>();
  for (const { references } of selection.pieces)
    for (const { destination, isBranch: isCall } of references)
      if (isCall && destination.kind === "original" && destination.atom.kind === "function")
        called.add(destination.atom);
  for (const { original } of selection.funcs) called.delete(original);
  return [...called];
}

/**
 * Names of the functions on whose code, as it is, the new code relies.
 * @param apart the patched unit without that knowledge; undefined where it cannot be had
 */
export function reliesOn(diff: ObjectDiff, apart: Unit | undefined): string[] {
  const called = calledOriginals(diff);
  const own = new Set(diff.selection.funcs.map(({ original }) => original));
  const relied = apart !== undefined && isSameCode(diff, apart) ? called.filter(isClone) : called;
  const all = new Set<Atom>();
  const waiting = [...relied];
  for (let atom = waiting.pop(); atom !== undefined; atom = waiting.pop()) {
    if (all.has(atom)) continue;
    all.add(atom);
    for (const reference of atom.references)
      if (reference.target.kind === "atom" && reference.target.atom.kind === "function" && isBranch(atom, reference))
        waiting.push(reference.target.atom);
  }
  return [...all].filter((atom) => !own.has(atom) && !isCold(atom.name)).map(({ name }) => name);
}

function isSameCode({ patched, selection }: ObjectDiff, apart: Unit): boolean {
  const pairing = correlate(apart, patched);
  const { differences } = compare(patched, pairing);
  return selection.pieces
    .filter(({ atom }) => atom.kind === "function" || atom.kind === "code")
    .every(({ atom }) => pairing.originalOf.has(atom) && !differences.has(atom));
}

/** Made for how it is called: another version of the file may have one of the same name that is called otherwise. */
function isClone({ name }: Atom): boolean {
  return /\.(isra|constprop|part)\.\d+/.test(name);
}
