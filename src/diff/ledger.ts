/** Which pieces differ between two objects, told by a plain rule of its own. */

import { ignoredOfCheck, isOfCheck, stableName } from "./names.ts";
import type { Pairing } from "./pairing.ts";
import { type Atom, isNamed, type Reference, type TableEntry, type Target, type Unit } from "./unit.ts";

/** Of a piece of the patched unit, beside the original one. `new`: it has no twin there. */
export type State = "same" | "differs" | "new";

/**
 * A piece is the same where its bytes are, and its references lead to the same
 * things from the same places, and so for the entries of each table that speak of
 * it. What no name pairs is the same where the other object has a piece left that
 * holds the same.
 */
export class Ledger {
  readonly #pairing: Pairing;
  readonly #texts = new Map<Atom, string>();
  readonly #states = new Map<Atom, State>();
  readonly #gone = new Set<Atom>();

  /** @param isBrought whether a piece of the patched unit travels: without a twin it is then new, whatever it holds */
  constructor(original: Unit, patched: Unit, pairing: Pairing, isBrought: (atom: Atom) => boolean) {
    this.#pairing = pairing;
    const unpaired = new Map<string, Atom[]>();
    for (const atom of original.atoms) {
      if (pairing.patchedOf.has(atom)) continue;
      const key = this.#key(atom);
      const list = unpaired.get(key);
      if (list === undefined) unpaired.set(key, [atom]);
      else list.push(atom);
    }
    for (const atom of patched.atoms) {
      const twin = pairing.originalOf.get(atom);
      if (twin !== undefined) this.#states.set(atom, this.#isSame(twin, atom) ? "same" : "differs");
      else if (isBrought(atom)) this.#states.set(atom, "new");
      else this.#states.set(atom, unpaired.get(this.#key(atom))?.pop() === undefined ? "new" : "same");
    }
    for (const list of unpaired.values()) for (const atom of list) this.#gone.add(atom);
  }

  /** @param atom of the patched unit */
  stateOf(atom: Atom): State {
    return this.#states.get(atom) ?? "new";
  }

  /** @param atom of the original unit */
  isGone(atom: Atom): boolean {
    return this.#gone.has(atom);
  }

  #isSame(a: Atom, b: Atom): boolean {
    return (
      a.end - a.start === b.end - b.start &&
      (a.data.equals(b.data) || (isZero(a.data) && isZero(b.data))) &&
      this.#isSameList(a.references, b.references) &&
      this.#hasSameEntries(a.entries, b.entries)
    );
  }

  #isSameList(a: readonly Reference[], b: readonly Reference[]): boolean {
    return (
      a.length === b.length &&
      a.every((x, i) => {
        const y = b[i] as Reference;
        return x.offset === y.offset && x.type === y.type && this.#isSameTarget(x.target, y.target);
      })
    );
  }

  #isSameTarget(a: Target, b: Target): boolean {
    if (a.kind === "atom" && b.kind === "atom" && this.#pairing.originalOf.get(b.atom) === a.atom)
      return a.offset === b.offset;
    if (a.kind === "entry" && b.kind === "entry" && this.#pairing.originalOf.get(b.entry.owner) === a.entry.owner)
      return a.entry.table === b.entry.table && a.entry.index === b.entry.index && a.offset === b.offset;
    // A name that moves to another file, or comes from one: it leads to what runs.
    if (a.kind === "atom" && b.kind === "external") return isNamed(a.atom, b.name, a.offset - b.offset);
    if (a.kind === "external" && b.kind === "atom") return isNamed(b.atom, a.name, b.offset - a.offset);
    return this.#target(a) === this.#target(b);
  }

  #hasSameEntries(before: readonly TableEntry[], after: readonly TableEntry[]): boolean {
    const [a, b] = [before.filter(saysOfCode), after.filter(saysOfCode)];
    if (a.length !== b.length) return false;
    return a.every((x, i) => {
      const y = b[i] as TableEntry;
      return x.table === y.table && entryBytes(x) === entryBytes(y) && this.#isSameList(x.references, y.references);
    });
  }

  #key(atom: Atom): string {
    const [, stem] = atom.section.name.split(".");
    return `${stem} ${atom.anonymous ? "" : stableName(atom)} ${this.#text(atom)}`;
  }

  /** What it is, in words that two objects have in common. */
  #text(atom: Atom): string {
    const known = this.#texts.get(atom);
    if (known !== undefined) return known;
    // Where it refers to itself by a detour.
    this.#texts.set(atom, "itself");
    const text = [
      atom.end - atom.start,
      bytesOf(atom).toString("latin1"),
      ...atom.references.map((reference) => this.#reference(reference)),
      ...atom.entries
        .filter(saysOfCode)
        .map(
          (entry) =>
            `${entry.table.name} ${entryBytes(entry)} ${entry.references.map((it) => this.#reference(it)).join()}`,
        ),
    ].join("|");
    this.#texts.set(atom, text);
    return text;
  }

  #reference({ offset, type, target }: Reference): string {
    return `${offset} ${type} ${this.#target(target)}`;
  }

  #target(target: Target): string {
    switch (target.kind) {
      case "atom":
        return `${this.#identity(target.atom)}+${target.offset}`;
      case "literal":
        return `"${target.literal.bytes}"+${target.offset}`;
      case "entry": {
        const { table, owner, index } = target.entry;
        return `${table.name} ${index} of ${this.#identity(owner)}+${target.offset}`;
      }
      case "external":
        return `${target.name}+${target.offset}`;
      case "absolute":
        return String(target.value);
    }
  }

  #identity(atom: Atom): string {
    const twin = this.#pairing.originalOf.get(atom) ?? atom;
    if (this.#pairing.patchedOf.has(twin)) return `=${twin.section.index}:${twin.start}`;
    return atom.anonymous || atom.kind !== "function" ? `{${this.#text(atom)}}` : atom.name;
  }
}

/**
 * A seal says that nothing of the kernel has a function's address, and goes with an export of it: the one that runs
 * stays as it was, and the livepatch brings none.
 */
function saysOfCode({ table }: TableEntry): boolean {
  return table.fate !== "dropped";
}

/** Without where a check stands in its file. */
function bytesOf(atom: Atom): Buffer {
  if (!isOfCheck(atom)) return atom.data;
  const bytes = Buffer.from(atom.data);
  return bytes.fill(0, ...ignoredOfCheck(atom));
}

/** Zeros need no bytes in a file, and have them in some sections. */
function isZero(data: Buffer): boolean {
  return data.every((byte) => byte === 0);
}

/** Without what a relocation fills in, and what is no difference. */
function entryBytes({ ignored, data, references, companion }: TableEntry): string {
  const bytes = Buffer.from(data);
  for (const { offset } of references) bytes.fill(0, offset, offset + 4);
  bytes.fill(0, ...ignored);
  return `${bytes.toString("latin1")}${companion?.toString("latin1") ?? ""}`;
}
