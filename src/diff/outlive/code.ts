/** Code as it is followed: its instructions, and what each relocated field of it refers to. */
import type { PointerFlow, Step } from "../../arch/pointer-flow.ts";
import { isBranch } from "../hooks.ts";
import { isCold } from "../names.ts";
import type { Destination, Piece, SelectedReference, Selection } from "../selection.ts";
import { type Atom, entryOffset, isCode, type Literal, type Reference, type TableEntry } from "../unit.ts";

/** One unit of a livepatch. */
export interface OutlivingUnit {
  readonly selection: Selection;
  /** Whether the running object has an atom of the original, where it is known to be. */
  isThere(original: Atom): boolean;
  /** Whether code of the livepatch refers to the running object's string or constant, not to one that it brings. */
  isRunning?(literal: Literal): boolean;
}

/** A function that is called, by its name in the running system, and its code where that is at hand. */
export interface Callee {
  readonly name: string;
  readonly body: Body | undefined;
}

/** Code of the livepatch (`isNew`), or of the running object as the original unit has it. */
export interface Body {
  readonly unit: OutlivingUnit;
  readonly atom: Atom;
  readonly isNew: boolean;
}

/** What of the livepatch an address can lead to. */
export type Thing = Atom | Literal;

/**
 * What a relocated field of code stands for, as far as addresses of the livepatch go.
 * `isSlot`: the field leads to a slot that holds the address.
 */
export type Meaning =
  /** A place in the code itself, or in a part of it that is kept elsewhere. */
  | { readonly kind: "place"; readonly atom: Atom; readonly offset: number; readonly isBranch: boolean }
  | { readonly kind: "callee"; readonly callee: Callee; readonly isSlot: boolean }
  /** The address of something that the livepatch brings, or for `isSlot` a slot that holds it. */
  | { readonly kind: "own"; readonly thing: Thing; readonly isSlot: boolean }
  /** Anything else of the running system. */
  | { readonly kind: "running"; readonly name: string; readonly isSlot: boolean };

/** The units of one livepatch, and what is known of their code. */
export class LivepatchCode {
  readonly units: readonly OutlivingUnit[];
  readonly #pieces = new Map<Atom, { readonly piece: Piece; readonly unit: OutlivingUnit }>();
  readonly #byName = new Map<string, Body>();
  readonly #meanings = new Map<Atom, ReadonlyMap<number, Meaning>>();
  readonly #scans = new Map<Atom, Scan>();
  readonly #literals = new Map<string, Literal>();
  readonly #leads = new Map<Atom, ReadonlyMap<number, readonly TableEntry[]>>();
  readonly #inner = new Map<Atom, Set<number>>();

  constructor(units: readonly OutlivingUnit[]) {
    this.units = units;
    for (const unit of units) {
      const { pieces, funcs } = unit.selection;
      const isPatched = new Set<Atom>(funcs.map(({ patched }) => patched));
      for (const piece of pieces) {
        const { atom } = piece;
        this.#pieces.set(atom, { piece, unit });
        if (isPatched.has(atom)) continue;
        for (const { name, binding } of atom.symbols)
          if (binding !== 0) this.#byName.set(name, { unit, atom, isNew: true });
      }
    }
    this.#findLabels();
  }

  /** What tables of jumps lead to; an entry of one may be relative to where its table begins. */
  #findLabels(): void {
    const begins = new Map<Atom, number[]>();
    const pieces = [...this.#pieces.values()].map(({ piece }) => piece);
    for (const { atom, references } of pieces)
      for (const { destination } of references)
        if (isCode(atom) && destination.kind === "piece" && !isCode(destination.atom))
          begins.set(destination.atom, [...(begins.get(destination.atom) ?? []), destination.offset]);
    for (const { atom, references } of pieces) {
      if (isCode(atom)) continue;
      for (const { destination, type, offset } of references) {
        if (destination.kind !== "piece" || !isCode(destination.atom)) continue;
        const before = (begins.get(atom) ?? []).filter((begin) => begin <= offset);
        const by = atom.section.arch.elf.isPcRelative(type) ? offset - Math.max(0, ...before) : 0;
        this.#addInner(destination.atom, destination.offset - by);
      }
    }
  }

  get pieces(): Iterable<Piece> {
    return [...this.#pieces.values()].map(({ piece }) => piece);
  }

  pieceOf(atom: Atom): Piece | undefined {
    return this.#pieces.get(atom)?.piece;
  }

  /** Offsets that data of the livepatch leads to: labels of a table of jumps. */
  innerTargets(atom: Atom): ReadonlySet<number> {
    return this.#inner.get(atom) ?? NONE;
  }

  /** Entries of tables that lead from an instruction to another place. */
  leadsFrom(atom: Atom, offset: number): readonly TableEntry[] {
    let leads = this.#leads.get(atom);
    if (leads === undefined) {
      leads = leadsOf(atom);
      this.#leads.set(atom, leads);
    }
    return leads.get(offset) ?? [];
  }

  meanings(body: Body): ReadonlyMap<number, Meaning> {
    let meanings = this.#meanings.get(body.atom);
    if (meanings === undefined) {
      meanings = body.isNew ? this.#ofPiece(body) : ofOriginal(body);
      this.#meanings.set(body.atom, meanings);
    }
    return meanings;
  }

  scan(body: Body, flow: PointerFlow): Scan {
    let scan = this.#scans.get(body.atom);
    if (scan === undefined) {
      scan = scanned(body.atom, flow);
      this.#scans.set(body.atom, scan);
    }
    return scan;
  }

  #ofPiece(body: Body): Map<number, Meaning> {
    const { atom, unit } = body;
    const references = this.pieceOf(atom)?.references ?? [];
    return new Map(references.map((reference) => [reference.offset, this.#meaning(reference, atom, unit)]));
  }

  #meaning({ destination, isBranch: branches, type }: SelectedReference, from: Atom, unit: OutlivingUnit): Meaning {
    const isSlot = from.section.arch.elf.isBySlot(type);
    switch (destination.kind) {
      case "literal":
        if (unit.isRunning?.(destination.literal) === true) return { kind: "running", name: "", isSlot };
        return { kind: "own", thing: this.#literal(destination.literal), isSlot };
      case "absolute":
        return { kind: "running", name: "", isSlot };
      // It goes when the code goes that it speaks of.
      case "entry":
        return { kind: "own", thing: destination.entry.owner, isSlot };
      case "external": {
        const body = this.#byName.get(destination.name);
        if (branches) return { kind: "callee", callee: { name: destination.name, body }, isSlot };
        if (body !== undefined) return { kind: "own", thing: body.atom, isSlot };
        return { kind: "running", name: destination.name, isSlot };
      }
      case "original": {
        const { atom } = destination;
        const body = unit.isThere(atom) && !isWeak(atom) ? { unit, atom, isNew: false } : undefined;
        if (branches) return { kind: "callee", callee: { name: atom.name, body }, isSlot };
        return { kind: "running", name: atom.name, isSlot };
      }
      case "piece":
        return this.#inPiece(destination, { branches, isSlot }, from, unit);
    }
  }

  #inPiece(
    { atom, offset }: Destination & { readonly kind: "piece" },
    { branches, isSlot }: { readonly branches: boolean; readonly isSlot: boolean },
    from: Atom,
    unit: OutlivingUnit,
  ): Meaning {
    const isEntry = atom.kind === "function" && atom !== from && !isCold(atom.name) && offset === entryOffset(atom);
    if (isCode(atom) && branches && isEntry)
      return { kind: "callee", callee: { name: atom.name, body: { unit, atom, isNew: true } }, isSlot };
    if (isCode(atom) && !isEntry && (atom === from || branches))
      return { kind: "place", atom, offset, isBranch: branches };
    return { kind: "own", thing: atom, isSlot };
  }

  /** Equal ones are one. */
  #literal(literal: Literal): Literal {
    const known = this.#literals.get(literal.bytes) ?? literal;
    this.#literals.set(literal.bytes, known);
    return known;
  }

  #addInner(atom: Atom, offset: number): void {
    const known = this.#inner.get(atom) ?? new Set();
    known.add(offset);
    this.#inner.set(atom, known);
  }
}

const NONE: ReadonlySet<number> = new Set();

function ofOriginal({ atom, unit }: Body): Map<number, Meaning> {
  return new Map(atom.references.map((reference) => [reference.offset, inOriginal(reference, atom, unit)]));
}

function inOriginal(reference: Reference, from: Atom, unit: OutlivingUnit): Meaning {
  const { target, type } = reference;
  const isSlot = from.section.arch.elf.isBySlot(type);
  const branches = isBranch(from, reference);
  if (target.kind === "external") {
    if (branches) return { kind: "callee", callee: { name: target.name, body: undefined }, isSlot };
    return { kind: "running", name: target.name, isSlot };
  }
  if (target.kind !== "atom" || !isCode(target.atom)) return { kind: "running", name: "", isSlot };
  const { atom, offset } = target;
  const isEntry = atom.kind === "function" && atom !== from && !isCold(atom.name) && offset === entryOffset(atom);
  if (isEntry && branches) {
    const body = unit.isThere(atom) && !isWeak(atom) ? { unit, atom, isNew: false } : undefined;
    return { kind: "callee", callee: { name: atom.name, body }, isSlot };
  }
  if (isEntry) return { kind: "running", name: atom.name, isSlot };
  return { kind: "place", atom, offset, isBranch: branches };
}

function leadsOf(atom: Atom): Map<number, TableEntry[]> {
  const leads = new Map<number, TableEntry[]>();
  for (const entry of atom.entries) {
    const { table, references } = entry;
    const key = table.leads !== undefined ? references.find(({ offset }) => offset === table.key)?.target : undefined;
    if (key?.kind !== "atom" || key.atom !== atom) continue;
    leads.set(key.offset, [...(leads.get(key.offset) ?? []), entry]);
  }
  return leads;
}

/** The instructions of an atom, by offset. */
export interface Scan {
  readonly steps: ReadonlyMap<number, Step>;
  /** Behind the last instruction. */
  readonly end: number;
  /** Whether all of it could be read. */
  readonly isWhole: boolean;
}

function scanned(atom: Atom, flow: PointerFlow): Scan {
  const steps = new Map<number, Step>();
  const end = codeEnd(atom);
  for (let at = 0; at < end; ) {
    const instruction = flow.decode(atom.data, at);
    if (instruction === undefined) return { steps, end, isWhole: false };
    steps.set(at, instruction);
    at += instruction.length;
  }
  return { steps, end, isWhole: true };
}

/** Without the padding behind it. */
function codeEnd(atom: Atom): number {
  const ends = atom.symbols.filter(({ size }) => size > 0).map(({ value, size }) => value + size - atom.start);
  return ends.length === 0 ? atom.data.length : Math.min(Math.max(...ends), atom.data.length);
}

function isWeak({ symbols }: Atom): boolean {
  return symbols.some(({ binding }) => binding === 2);
}
