/**
 * Run-pre matching: the functions of the original, as compiled here, are
 * looked for in the shipped object and compared with it, relocation targets
 * included. What is found also says where each static function and variable
 * lies (the idea is Ksplice's, Arnold and Kaashoek, EuroSys 2009).
 */
import type { Mismatch } from "../../../builder/mismatch.ts";
import { isOfCheck, numberedBase } from "../../../diff/names.ts";
import type { Atom, Literal, Reference, TableEntry, Unit } from "../../../diff/unit.ts";
import { STB } from "../../../elf/constants.ts";
import { matchParameters } from "./match-parameters.ts";
import type { Shipped, ShippedSymbol } from "./shipped.ts";

/** Where a unit's parts are in one shipped object, as its proved functions tell, and of parameters their names. */
export interface UnitMatch {
  /** Where each atom of the original starts in the shipped object. */
  readonly places: ReadonlyMap<Atom, number>;
  /** Where the symbols of other units lie that proved functions refer to. */
  readonly externals: ReadonlyMap<string, number>;
  /** Where strings and constants lie that proved functions refer to, by their bytes as latin-1. */
  readonly literals: ReadonlyMap<string, number>;
  /** Functions found, byte for byte. */
  readonly proved: ReadonlySet<Atom>;
  /** Functions not found, and why. */
  readonly mismatches: ReadonlyMap<Atom, Mismatch>;
}

/** Code of the unit at a place of the shipped object, and where the field is counted from that is looked at. */
interface Compared {
  readonly atom: Atom;
  readonly at: number;
  readonly from: number;
}

/** What a field leads to in the original, and what there. */
interface Unlike {
  readonly wanted: string;
  readonly found: string;
}

/** What a function's references say about where other things lie. */
interface Claims {
  readonly atoms: Map<Atom, number>;
  readonly externals: Map<string, number>;
  readonly literals: Map<string, number>;
}

/** A function is looked for in every place that has its name; a name alone proves nothing. */
export function matchUnit(unit: Unit, shipped: Shipped): UnitMatch {
  return new Matcher(unit, shipped).run();
}

class Matcher {
  readonly #unit: Unit;
  readonly #shipped: Shipped;
  readonly #places = new Map<Atom, number>();
  readonly #externals = new Map<string, number>();
  readonly #literals = new Map<string, number>();
  readonly #proved = new Set<Atom>();
  readonly #mismatches = new Map<Atom, Mismatch>();
  /** Places that a matched function claims for atoms that are not settled yet. */
  readonly #claimed = new Map<Atom, number>();

  constructor(unit: Unit, shipped: Shipped) {
    this.#unit = unit;
    this.#shipped = shipped;
  }

  run(): UnitMatch {
    const functions = this.#unit.atoms.filter((atom) => atom.kind === "function" && atom.section.role !== "dropped");
    let open = functions;
    // Names that are unique settle the places of the others.
    for (let progress = true; progress && open.length > 0; ) {
      const left = open.filter((atom) => !this.#settle(atom, false));
      progress = left.length < open.length;
      open = left;
    }
    for (const atom of open) this.#settle(atom, true);
    for (const [atom, at] of this.#claimed) if (!this.#places.has(atom)) this.#settleData(atom, at);
    for (const [atom, at] of matchParameters(this.#unit, this.#shipped)) this.#places.set(atom, at);
    const [places, externals, literals] = [this.#places, this.#externals, this.#literals];
    return { places, externals, literals, proved: this.#proved, mismatches: this.#mismatches };
  }

  /** @param final whether a choice among equals must be made now */
  #settle(atom: Atom, final: boolean): boolean {
    const claimed = this.#claimed.get(atom);
    const candidates = claimed === undefined ? this.#candidates(atom) : [claimed];
    if (candidates.length === 0) {
      if (!final) return false;
      this.#mismatches.set(atom, { kind: "absent" });
      return true;
    }
    let mismatch: Mismatch | undefined;
    const fits: { at: number; claims: Claims }[] = [];
    for (const at of candidates) {
      const result = this.#compare(atom, at);
      if (result.kind === "equal") fits.push({ at, claims: result.claims });
      else mismatch ??= result;
    }
    const [first] = fits;
    if (first === undefined) {
      if (!final) return false;
      this.#mismatches.set(atom, mismatch ?? { kind: "absent" });
      return true;
    }
    if (fits.length > 1 && !final) return false;
    const chosen = fits.length > 1 ? this.#nearest(fits) : first;
    this.#places.set(atom, chosen.at);
    this.#proved.add(atom);
    for (const [target, at] of chosen.claims.atoms) if (!this.#claimed.has(target)) this.#claimed.set(target, at);
    for (const [name, at] of chosen.claims.externals) this.#externals.set(name, at);
    for (const [bytes, at] of chosen.claims.literals) this.#literals.set(bytes, at);
    return true;
  }

  #candidates(atom: Atom): number[] {
    const found = new Set<number>();
    for (const symbol of atom.symbols)
      for (const at of this.#shipped.places(symbol.name)) found.add(at - (symbol.value - atom.start));
    return [...found];
  }

  /** Equal code of equal name: the one that lies among the unit's other functions. */
  #nearest<Fit extends { readonly at: number }>(fits: readonly Fit[]): Fit {
    const settled = [...this.#places.values()].sort((a, b) => a - b);
    const middle = settled[settled.length >> 1] ?? 0;
    return [...fits].sort((a, b) => Math.abs(a.at - middle) - Math.abs(b.at - middle))[0] as Fit;
  }

  #compare(atom: Atom, at: number): { readonly kind: "equal"; readonly claims: Claims } | Mismatch {
    const length = codeLength(atom);
    const bytes = this.#shipped.bytes(at, length);
    if (bytes === undefined) return { kind: "absent" };
    const offset = firstDifference(atom, bytes, length);
    if (offset !== undefined) return { kind: "bytes", at, offset };
    const claims: Claims = { atoms: new Map(), externals: new Map(), literals: new Map() };
    for (const reference of atom.references) {
      if (reference.offset >= length) continue;
      const target = this.#target(reference, { atom, at, from: at }, claims);
      if (target !== undefined) return { kind: "target", at, offset: reference.offset, ...target };
    }
    return { kind: "equal", claims };
  }

  /** Checks one reference, and notes what it claims; the difference where there is one. */
  #target(reference: Reference, { atom, at, from }: Compared, claims: Claims): Unlike | undefined {
    const { target } = reference;
    const found = this.#shipped.target(from + reference.offset, reference.type, reference.adjust);
    if (target.kind === "absolute") return undefined;
    if (found === undefined) return { wanted: nameOf(reference), found: "nothing" };
    if (target.kind === "external") {
      if (found.kind === "external")
        return found.name === target.name ? undefined : { wanted: target.name, found: found.name };
      const place = found.at - target.offset;
      const known = claims.externals.get(target.name) ?? this.#externals.get(target.name);
      if (!this.#isSymbol(target.name, place, known)) return { wanted: target.name, found: this.#nameAt(place) };
      claims.externals.set(target.name, place);
      return undefined;
    }
    if (found.kind === "external") return { wanted: nameOf(reference), found: found.name };
    if (target.kind === "literal") {
      const start = found.at - target.offset;
      if (!this.#holds(start, target.literal)) return { wanted: nameOf(reference), found: this.#nameAt(start) };
      claims.literals.set(target.literal.bytes, start);
      return undefined;
    }
    const start = found.at - target.offset;
    if (target.kind === "entry") return this.#entry(target.entry, { atom, at, from: start }, claims);
    const known = target.atom === atom ? at : (this.#places.get(target.atom) ?? claims.atoms.get(target.atom));
    if (
      known !== undefined &&
      known !== start &&
      isOverridden(target.atom, target.offset, this.#shipped.symbolsAt(found.at))
    )
      return undefined;
    if (known !== undefined && known !== start) return { wanted: nameOf(reference), found: this.#nameAt(start) };
    if (known === undefined) {
      if (!this.#couldBe(target.atom, start)) return { wanted: nameOf(reference), found: this.#nameAt(start) };
      if (isOfCheck(target.atom) && this.#compare(target.atom, start).kind !== "equal")
        return { wanted: "a check's description", found: "another one" };
      claims.atoms.set(target.atom, start);
    }
    return undefined;
  }

  /** What a table says of the code has to be about the same place there, and say the same. */
  #entry(entry: TableEntry, compared: Compared, claims: Claims): Unlike | undefined {
    const { data, references, table } = entry;
    const bytes = this.#shipped.bytes(compared.from, data.length);
    if (bytes === undefined || firstDifference(entry, bytes, data.length) !== undefined)
      return { wanted: `an entry of ${table.name}`, found: this.#nameAt(compared.from) };
    for (const reference of references) {
      const unlike = this.#target(reference, compared, claims);
      if (unlike !== undefined) return unlike;
    }
    return undefined;
  }

  #isSymbol(name: string, at: number, known: number | undefined): boolean {
    const there = this.#shipped.symbolsAt(at);
    if (there.some((symbol) => symbol.name === name)) return true;
    // The linker's own symbols, and weak ones that nothing defines, are not in kallsyms.
    // Neither is what follows the text in a table of functions alone, which has the text's end for it.
    if (this.#shipped.places(name).length > 0 || there.some((symbol) => !TEXT_ENDS.has(symbol.name))) return false;
    return known === undefined || known === at;
  }

  #couldBe(atom: Atom, start: number): boolean {
    if (atom.anonymous) return true;
    const first = atom.symbols[0];
    if (first === undefined) return true;
    const names = this.#shipped.symbolsAt(start + first.value - atom.start);
    if (names.length === 0) return !isInKallsyms(atom);
    const base = numberedBase(first.name);
    return names.some(({ name }) => name === first.name || (base !== undefined && numberedBase(name) === base));
  }

  #holds(at: number, { bytes }: Literal): boolean {
    return this.#shipped.bytes(at, bytes.length)?.toString("latin1") === bytes;
  }

  #nameAt(at: number): string {
    return this.#shipped.symbolsAt(at)[0]?.name ?? `0x${(at >>> 0).toString(16)}`;
  }

  /** A variable lies where matched code says; a constant must hold what the original's does. */
  #settleData(atom: Atom, at: number): void {
    if (atom.kind === "function") return;
    const compared = this.#compare(atom, at);
    if (atom.kind === "constant" && compared.kind !== "equal") return;
    this.#places.set(atom, at);
    // Visited in their turn, since they are added while the claims are gone through.
    if (compared.kind === "equal")
      for (const [target, place] of compared.claims.atoms)
        if (!this.#claimed.has(target)) this.#claimed.set(target, place);
  }
}

/** What scripts/kallsyms.c keeps of the places where text ends: nothing lies there by itself. */
const TEXT_ENDS: ReadonlySet<string> = new Set(["", "_etext", "_einittext"]);

/** A weak function that something else in the shipped object defines: its callers call that one. */
function isOverridden(atom: Atom, offset: number, found: readonly ShippedSymbol[]): boolean {
  const weak = atom.symbols.filter(({ binding, value }) => binding === STB.WEAK && value - atom.start === offset);
  return weak.some((symbol) => found.some(({ name }) => name === symbol.name));
}

/** Without the padding behind the last instruction of a function. */
function codeLength(atom: Atom): number {
  const end = Math.max(...atom.symbols.map((symbol) => symbol.value + symbol.size));
  return atom.kind === "function" && Number.isFinite(end) ? Math.min(end, atom.end) - atom.start : atom.data.length;
}

/** kallsyms leaves out what the compiler made up, and per-CPU symbols of some kernels. */
function isInKallsyms(atom: Atom): boolean {
  return atom.kind === "function" && !atom.name.startsWith(".");
}

/** Where bytes that are no relocated field differ first; `references` by offset. */
function firstDifference(
  { data, references, section }: Pick<TableEntry, "data" | "references" | "section">,
  bytes: Buffer,
  length: number,
): number | undefined {
  const { relocationSize } = section.arch.elf;
  let from = 0;
  for (const { offset, type } of references) {
    if (offset >= length) break;
    const difference = differs(data, bytes, from, offset);
    if (difference !== undefined) return difference;
    from = offset + (relocationSize(type) ?? 0);
  }
  return differs(data, bytes, from, length);
}

function differs(a: Buffer, b: Buffer, from: number, to: number): number | undefined {
  if (from >= to || a.compare(b, from, to, from, to) === 0) return undefined;
  for (let i = from; i < to; i++) if (a[i] !== b[i]) return i;
  return undefined;
}

function nameOf({ target }: Reference): string {
  switch (target.kind) {
    case "atom":
      return target.atom.name;
    case "literal":
      return JSON.stringify(target.literal.bytes.slice(0, 30));
    case "entry":
      return `an entry of ${target.entry.table.name}`;
    case "external":
      return target.name;
    case "absolute":
      return String(target.value);
  }
}
