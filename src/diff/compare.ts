/** The second step: what differs between an atom and its twin. */
import { differsInLines } from "./line-numbers.ts";
import { ignoredOfCheck, isDisposable, isOfCheck, placeName, stableName } from "./names.ts";
import type { Pairing } from "./pairing.ts";
import { READ_ONLY_LATER } from "./roles.ts";
import { type Atom, isNamed, type Reference, type TableEntry, type Target, type Unit } from "./unit.ts";

/** Where an atom differs from its twin, for a reader. */
export interface Difference {
  readonly what: string;
  /** From the atom's start, where one place can be named. */
  readonly offset?: number;
  /** Nothing differs but the section that it is put into. */
  readonly isPlace?: true;
  /** There is one for each processor, or thread, or only now; or it was constant. */
  readonly isStorage?: true;
  /** It could not be written to any more, and can be now. */
  readonly isUnlocked?: true;
  /** It has another size. */
  readonly isSize?: true;
  /** It has to lie at a boundary at which the running one need not lie. */
  readonly isAlignment?: true;
}

/** By atoms of the patched unit that have a twin: what is new or gone is no difference here. */
export interface Comparison {
  readonly differences: ReadonlyMap<Atom, Difference>;
  /** Functions that differ in nothing but line numbers. */
  readonly inLines: ReadonlySet<Atom>;
}

/** The atoms of the patched unit that have a twin and differ from it by themselves. */
export function compare(patched: Unit, pairing: Pairing): Comparison {
  const comparer = new Comparer(pairing);
  const differences = new Map<Atom, Difference>();
  for (const atom of patched.atoms) {
    const twin = pairing.originalOf.get(atom);
    if (twin === undefined || isDisposable(atom)) continue;
    const difference = comparer.difference(twin, atom);
    if (difference !== undefined) differences.set(atom, difference);
  }
  return { differences, inLines: comparer.inLines };
}

/** Compares by meaning: twins are equal, and what has no name is what it holds. Keeps what it found, and what it is at. */
class Comparer {
  readonly inLines = new Set<Atom>();
  readonly #pairing: Pairing;
  readonly #structural = new Map<Atom, Map<Atom, boolean>>();

  constructor(pairing: Pairing) {
    this.#pairing = pairing;
  }

  difference(a: Atom, b: Atom): Difference | undefined {
    return (
      storageDifference(a, b) ??
      sizeDifference(a, b) ??
      alignmentDifference(a, b) ??
      this.#referenceDifference(a.references, b.references) ??
      this.#byteDifference(a, b) ??
      this.#tableDifference(a, b) ??
      placeDifference(a, b)
    );
  }

  #byteDifference(a: Atom, b: Atom): Difference | undefined {
    const difference = byteDifference(a.data, b.data);
    if (difference === undefined || !differsInLines(a, b)) return difference;
    this.inLines.add(b);
    return undefined;
  }

  #referenceDifference(a: readonly Reference[], b: readonly Reference[]): Difference | undefined {
    for (let i = 0; i < Math.max(a.length, b.length); i++) {
      const x = a[i];
      const y = b[i];
      if (x === undefined || y === undefined || x.offset !== y.offset || x.type !== y.type)
        return { what: "refers elsewhere", offset: Math.min(x?.offset ?? Infinity, y?.offset ?? Infinity) };
      if (!this.#isSameTarget(x.target, y.target)) return { what: refersTo(y.target, x.target), offset: y.offset };
    }
    return undefined;
  }

  #isSameTarget(a: Target, b: Target): boolean {
    if (a.kind === "atom" && b.kind === "atom")
      return (
        a.offset === b.offset &&
        (this.#pairing.originalOf.get(b.atom) === a.atom || this.#isSameContent(a.atom, b.atom))
      );
    if (a.kind === "literal" && b.kind === "literal")
      return a.literal.bytes === b.literal.bytes && a.offset === b.offset && a.literal.width === b.literal.width;
    if (a.kind === "entry" && b.kind === "entry") return this.#isSameEntry(a.entry, b.entry) && a.offset === b.offset;
    if (a.kind === "external" && b.kind === "external") return a.name === b.name && a.offset === b.offset;
    // A name that moves between files: what it is bound to stays the one that runs.
    if (a.kind === "atom" && b.kind === "external") return isNamed(a.atom, b.name, a.offset - b.offset);
    if (a.kind === "external" && b.kind === "atom") return isNamed(b.atom, a.name, b.offset - a.offset);
    if (a.kind === "absolute" && b.kind === "absolute") return a.value === b.value;
    return false;
  }

  /** What the two hold is compared with the code that they are about. */
  #isSameEntry(a: TableEntry, b: TableEntry): boolean {
    const isOfTwins = this.#pairing.originalOf.get(b.owner) === a.owner || this.#isSameContent(a.owner, b.owner);
    return a.table === b.table && a.index === b.index && isOfTwins;
  }

  #isSameCheck(a: Atom, b: Atom): boolean {
    const ignored = ignoredOfCheck(b);
    return (
      a.end - a.start === b.end - b.start &&
      this.#referenceDifference(a.references, b.references) === undefined &&
      without(a.data, ignored).equals(without(b.data, ignored))
    );
  }

  /** Whether two atoms that no name pairs hold the same. */
  #isSameContent(a: Atom, b: Atom): boolean {
    if (this.#pairing.originalOf.has(b) || this.#pairing.patchedOf.has(a)) return false;
    if (a.kind !== b.kind || a.section.name.split(".")[1] !== b.section.name.split(".")[1]) return false;
    if (isOfCheck(a) || isOfCheck(b)) return isOfCheck(a) && isOfCheck(b) && this.#isSameCheck(a, b);
    if (isDisposable(a) && isDisposable(b) && a.kind === "data") return stableName(a) === stableName(b);
    const isByContent = (atom: Atom) => atom.anonymous || (atom.kind === "constant" && atom.symbols[0]?.binding === 0);
    if (!isByContent(a) || !isByContent(b)) return false;
    const row = this.#structural.get(a) ?? new Map<Atom, boolean>();
    this.#structural.set(a, row);
    const known = row.get(b);
    if (known !== undefined) return known;
    row.set(b, true);
    const same = this.difference(a, b) === undefined;
    row.set(b, same);
    return same;
  }

  #tableDifference(a: Atom, b: Atom): Difference | undefined {
    if (a.entries.length === 0 && b.entries.length === 0) return undefined;
    const before = a.entries.filter((entry) => entry.table.compared);
    const after = b.entries.filter((entry) => entry.table.compared);
    for (let i = 0; i < Math.max(before.length, after.length); i++) {
      const x = before[i];
      const y = after[i];
      if (x === undefined || y === undefined || x.table !== y.table)
        return { what: `${(y ?? x)?.table.name} has other entries for it` };
      const what = this.#referenceDifference(x.references, y.references) ?? entryDifference(x, y);
      if (what !== undefined) return { what: `${y.table.name}: ${what.what}` };
    }
    return undefined;
  }
}

/** What a running variable cannot become: writable, or one for each processor, or for each thread. */
function storageDifference(a: Atom, b: Atom): Difference | undefined {
  const isPerCpu = (atom: Atom) => atom.section.name.startsWith(".data..percpu");
  const isPerThread = (atom: Atom) => /^\.t(data|bss)(\.|$)/.test(atom.section.name);
  if (a.kind === "constant" && b.kind === "data") return { what: "constant → variable", isStorage: true };
  if (isPerThread(a) !== isPerThread(b)) return { what: "thread-local storage", isStorage: true };
  return isPerCpu(a) === isPerCpu(b) ? undefined : { what: "per-CPU storage", isStorage: true };
}

/** Of what is the same, what a rebuilt object would have elsewhere: among what is written at boot alone, or must not be probed. */
function placeDifference(a: Atom, b: Atom): Difference | undefined {
  if (a.kind !== b.kind || (a.kind !== "data" && a.kind !== "function")) return undefined;
  const place = placeName(b);
  if (placeName(a) === place) return undefined;
  const isUnlocked = READ_ONLY_LATER.test(a.section.name) && !READ_ONLY_LATER.test(b.section.name);
  return { what: `is put into ${place}`, isPlace: true, ...(isUnlocked ? { isUnlocked } : {}) };
}

function sizeDifference(a: Atom, b: Atom): Difference | undefined {
  const before = a.end - a.start;
  const after = b.end - b.start;
  if (before === after) return undefined;
  return a.kind === "function" ? { what: "its code is changed" } : { what: `${before} → ${after} bytes`, isSize: true };
}

/** Code may rely on more than what the running one was given; told where each has a section of its own. */
function alignmentDifference(a: Atom, b: Atom): Difference | undefined {
  if (b.kind !== "data" && b.kind !== "constant") return undefined;
  if (b.anonymous || a.section.atoms.length !== 1 || b.section.atoms.length !== 1) return undefined;
  const [before, after] = [a.section.alignment, b.section.alignment];
  return after <= before ? undefined : { what: `a boundary of ${before} → ${after} bytes`, isAlignment: true };
}

function byteDifference(a: Buffer, b: Buffer): Difference | undefined {
  if (a.equals(b)) return undefined;
  // Zeros need no bytes in a file, and have them in some sections.
  if (a.length === 0 || b.length === 0) {
    const first = (a.length === 0 ? b : a).findIndex((byte) => byte !== 0);
    return first < 0 ? undefined : { what: "other bytes", offset: first };
  }
  const end = Math.min(a.length, b.length);
  let at = 0;
  while (at < end && a[at] === b[at]) at++;
  return { what: "other bytes", offset: at };
}

function without(data: Buffer, [from, to]: readonly [number, number]): Buffer {
  return Buffer.concat([data.subarray(0, from), data.subarray(to)]);
}

function entryDifference(a: TableEntry, b: TableEntry): Difference | undefined {
  const [from, to] = a.ignored;
  const { relocationSize } = a.section.arch.elf;
  const relocated = new Uint8Array(a.data.length);
  for (const { offset, type } of a.references) relocated.fill(1, offset, offset + (relocationSize(type) ?? 0));
  for (let i = 0; i < Math.max(a.data.length, b.data.length); i++) {
    if ((i >= from && i < to) || relocated[i] === 1) continue;
    if (a.data[i] !== b.data[i]) return { what: "other bytes", offset: i };
  }
  return undefined;
}

function refersTo(now: Target, before: Target): string {
  const [one, other] = [describe(now), describe(before)];
  if (one !== other || now.kind === "absolute" || before.kind === "absolute")
    return `refers to ${one} instead of ${other}`;
  if (now.offset === before.offset) return `refers to another ${one}`;
  return `refers to ${one}${place(now.offset)} instead of ${other}${place(before.offset)}`;
}

function place(offset: number): string {
  return offset < 0 ? `-0x${(-offset).toString(16)}` : `+0x${offset.toString(16)}`;
}

function describe(target: Target): string {
  switch (target.kind) {
    case "atom":
      return target.atom.name;
    case "literal":
      return JSON.stringify(target.literal.bytes.slice(0, 40));
    case "entry":
      return `an entry of ${target.entry.table.name}`;
    case "external":
      return target.name;
    case "absolute":
      return `0x${target.value.toString(16)}`;
  }
}
