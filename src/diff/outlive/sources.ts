/** What the addresses are of that are followed through one function: a bit each. */
import { addressOf, CLEAN, type Value } from "../../arch/pointer-state.ts";
import { numberedBase } from "../names.ts";
import { type Atom, entryOffset } from "../unit.ts";
import type { Thing } from "./code.ts";

/** One thing that an address may lead to. */
export interface Source {
  /** For a reader. */
  readonly what: string;
  /** Undefined for what a caller passes that is not the livepatch's alone. */
  readonly thing: Thing | undefined;
  /** Whether what lies there may hold addresses of the livepatch. */
  holds(): boolean;
}

/** What of the livepatch holds addresses of it: from the start, or since its code writes them there. */
export class Known {
  readonly #holders: Set<Thing>;
  hasGrown = false;

  constructor(holders: Iterable<Thing>) {
    this.#holders = new Set(holders);
  }

  holds(thing: Thing): boolean {
    return this.#holders.has(thing);
  }

  keep(thing: Thing): void {
    if (this.#holders.has(thing)) return;
    this.#holders.add(thing);
    this.hasGrown = true;
  }
}

/** What is let out where it is not known which it is, or code is not followed to its end. */
export const ANY = "an address of the livepatch";

/** Bits that sources have; the last is for all that are more. */
const MOST = 30;

/**
 * Gives each source a bit for as long as one function is followed. Beyond 30 of them
 * the last bit stands for all further ones, of which nothing is known.
 */
export class Sources {
  readonly #known: Known;
  readonly #all: Source[] = [];
  readonly #bits = new Map<Thing | Source, number>();

  constructor(known: Known) {
    this.#known = known;
  }

  bit(thing: Thing): number {
    const known = this.#bits.get(thing);
    if (known !== undefined) return known;
    return this.#next(thing, { what: nameOf(thing), thing, holds: () => this.#known.holds(thing) });
  }

  /** Of a source of another function. */
  #bitOf(source: Source): number {
    const { thing } = source;
    return thing === undefined ? (this.#bits.get(source) ?? this.#next(source, source)) : this.bit(thing);
  }

  /** Which may be an address of each of them. */
  value(sources: readonly Source[]): Value {
    const bits = sources.reduce((sum, each) => sum | this.#bitOf(each), 0);
    return bits === 0 ? CLEAN : addressOf(bits);
  }

  /** Without tables of jumps: what a register has left of one is of use to nobody. */
  of(bits: number): Source[] {
    return this.#all.filter(({ thing }, i) => (bits & (1 << i)) !== 0 && !(thing && isJumpTable(thing)));
  }

  /** Whether they are nothing else than tables of jumps. */
  areJumpTables(bits: number): boolean {
    return this.of(bits).length === 0;
  }

  holding(bits: number): number {
    let holding = 0;
    for (const [i, source] of this.#all.entries()) if ((bits & (1 << i)) !== 0 && source.holds()) holding |= 1 << i;
    return holding;
  }

  /** @returns false where it is not known to be the livepatch's alone */
  keep(bits: number): boolean {
    const sources = this.of(bits);
    if (sources.some(({ thing }) => thing === undefined)) return false;
    for (const { thing } of sources) if (thing !== undefined) this.#known.keep(thing);
    return true;
  }

  #next(key: Thing | Source, source: Source): number {
    const bit = Math.min(this.#all.length, MOST - 1);
    if (bit === this.#all.length) this.#all.push(source);
    else this.#all[bit] = { what: ANY, thing: undefined, holds: () => true };
    this.#bits.set(key, 1 << bit);
    return 1 << bit;
  }
}

/** Made by the compiler, which hands its address out to nobody. */
function isJumpTable(thing: Thing): boolean {
  if (!("section" in thing) || !thing.anonymous || thing.kind !== "constant" || thing.references.length === 0)
    return false;
  const { isPcRelative } = thing.section.arch.elf;
  return thing.references.every(
    ({ target, type }) =>
      target.kind === "atom" &&
      target.atom.kind === "function" &&
      (isPcRelative(type) || target.offset !== entryOffset(target.atom)),
  );
}

/** What an address leads to, in a word for a reader. */
export function nameOf(thing: Thing): string {
  if (!("section" in thing)) {
    const text = thing.bytes.replace(/\0+$/, "");
    return thing.isString
      ? `the string ${JSON.stringify(text.length > 40 ? `${text.slice(0, 39)}…` : text)}`
      : "a constant";
  }
  const atom: Atom = thing;
  if (atom.kind === "function" && !atom.anonymous) return `the new code of ${atom.name}`;
  return atom.anonymous ? `a part of ${atom.section.name}` : (numberedBase(atom.name) ?? atom.name);
}
