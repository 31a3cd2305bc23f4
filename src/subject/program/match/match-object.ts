/**
 * Run-pre matching for programs whose symbols are stripped: each section of
 * code, as the original compiles to it, is looked for in the shipped object by
 * what it holds, relocated fields left out; the fields then say where everything
 * else lies, and all of them must say the same (the idea is Ksplice's, Arnold
 * and Kaashoek, EuroSys 2009; here the code alone must show where it is).
 */

import type { LinkedFields, PlainReference } from "../../../arch/linked-fields.ts";
import { linkedFieldsOf } from "../../../arch/registry.ts";
import { SHF, STB, STT } from "../../../elf/constants.ts";
import type { ElfSection, ElfSymbol } from "../../../elf/model.ts";
import type { ShippedProgram } from "../shipped/shipped-program.ts";
import { Claims } from "./claims.ts";
import { verifyConstants } from "./match-constants.ts";
import type { ProgramMismatch } from "./mismatch.ts";
import type { PlacedFunction } from "./placed-function.ts";
import type { PlainFunction, PlainObject } from "./plain-object.ts";

/** How much of a unit is in one shipped object, and where everything is that its code refers to. */
export interface ObjectMatch {
  /** Functions found, byte for byte, by name. */
  readonly proved: ReadonlyMap<string, PlacedFunction>;
  /** Functions not found, and why. */
  readonly mismatches: ReadonlyMap<string, ProgramMismatch>;
  readonly claims: Claims;
}

/** A unit that is not in the object is a match with nothing proved. */
export function matchObject(object: PlainObject, shipped: ShippedProgram): ObjectMatch {
  return new Matcher(object, shipped).run();
}

interface Fit {
  readonly base: number;
  readonly equal: readonly PlainFunction[];
  readonly different: ReadonlyMap<PlainFunction, ProgramMismatch>;
  readonly claims: Claims;
}

class Matcher {
  readonly #object: PlainObject;
  readonly #shipped: ShippedProgram;
  readonly #linked: LinkedFields;
  #claims: Claims;
  readonly #proved = new Map<string, PlacedFunction>();
  readonly #mismatches = new Map<string, ProgramMismatch>();
  /** Sections of code by where they start. */
  readonly #placed = new Map<ElfSection, number>();

  constructor(object: PlainObject, shipped: ShippedProgram) {
    this.#object = object;
    this.#shipped = shipped;
    this.#linked = linkedFieldsOf(object.arch);
    this.#claims = new Claims(object, shipped);
  }

  run(): ObjectMatch {
    const bySection = new Map<ElfSection, PlainFunction[]>();
    for (const each of this.#object.functions) {
      if (each.size === 0) continue;
      const list = bySection.get(each.section);
      if (list === undefined) bySection.set(each.section, [each]);
      else list.push(each);
    }
    let open = [...bySection];
    for (let progress = true; progress && open.length > 0; ) {
      const left = open.filter(([section, functions]) => !this.#settle(section, functions, false));
      progress = left.length < open.length;
      open = left;
    }
    for (const [section, functions] of open) this.#settle(section, functions, true);
    for (const [name, mismatch] of verifyConstants(this.#object, this.#shipped, this.#claims, this.#proved)) {
      this.#proved.delete(name);
      this.#mismatches.set(name, mismatch);
    }
    this.#doubtColdParts();
    this.#dropOverridden();
    return { proved: this.#proved, mismatches: this.#mismatches, claims: this.#claims };
  }

  /** A weak function that another file defines too stands here and is never called. */
  #dropOverridden(): void {
    for (const { symbol } of this.#object.functions) {
      const own = this.#proved.get(symbol.name);
      const called = symbol.binding === STB.WEAK ? this.#claims.place(symbol) : undefined;
      if (own === undefined || called === undefined || called === own.at) continue;
      this.#proved.delete(symbol.name);
      this.#mismatches.set(symbol.name, { kind: "absent" });
    }
  }

  /** Who is in the unlikely part of a function is in that function: it has to be known where that is. */
  #doubtColdParts(): void {
    for (const [name, mismatch] of [...this.#mismatches]) {
      const whole = name.replace(/\.cold$/, "");
      if (whole !== name && this.#proved.delete(whole)) this.#mismatches.set(whole, mismatch);
    }
  }

  /** @param final whether a choice among equals must be made now */
  #settle(section: ElfSection, functions: readonly PlainFunction[], final: boolean): boolean {
    const fits = this.#candidates(section, functions).map((base) => this.#fit(section, functions, base));
    const most = Math.max(0, ...fits.map(({ equal }) => equal.length));
    const best = fits.filter(({ equal }) => equal.length === most);
    const [first] = best;
    if (first === undefined || most === 0) {
      if (!final) return false;
      for (const each of functions) this.#mismatch(each, fits[0]?.different.get(each) ?? { kind: "absent" });
      return true;
    }
    if (best.length > 1 && !final) return false;
    const chosen = best.length > 1 ? this.#neighbouring(section, best) : first;
    if (chosen === undefined) {
      for (const each of functions)
        this.#mismatch(each, { kind: "ambiguous", places: best.map(({ base }) => base + each.start) });
      return true;
    }
    this.#accept(section, chosen);
    return true;
  }

  #accept(section: ElfSection, { base, equal, different, claims }: Fit): void {
    this.#claims = claims;
    this.#placed.set(section, base);
    for (const { symbol, start, size } of equal) this.#proved.set(symbol.name, { at: base + start, size });
    for (const [each, mismatch] of different) this.#settleAlone(each, mismatch);
  }

  /** Behind a function of another length, what follows it in its section lies elsewhere. */
  #settleAlone(each: PlainFunction, mismatch: ProgramMismatch): void {
    const fits = this.#candidates(each.section, [each])
      .map((base) => this.#fit(each.section, [each], base, true))
      .filter(({ equal }) => equal.length === 1);
    const [only] = fits;
    if (only === undefined || fits.length > 1) this.#mismatch(each, mismatch);
    else {
      this.#claims = only.claims;
      this.#proved.set(each.symbol.name, { at: only.base + each.start, size: each.size });
    }
  }

  #mismatch({ symbol }: PlainFunction, mismatch: ProgramMismatch): void {
    if (!this.#proved.has(symbol.name)) this.#mismatches.set(symbol.name, mismatch);
  }

  /** Where the section may start, the likeliest first. */
  #candidates(section: ElfSection, functions: readonly PlainFunction[]): number[] {
    const claimed = this.#claims.base(section);
    if (claimed !== undefined && functions.length > 1) return [claimed];
    const named = functions.flatMap(({ symbol, start }) =>
      isGlobal(symbol) ? this.#shipped.places(symbol.name).map(({ at }) => at - start) : [],
    );
    if (named.length > 0) return [...new Set(named)];
    const votes = new Map<number, number>();
    if (claimed !== undefined) votes.set(claimed, 1);
    for (const each of functions) {
      for (const at of this.#startsOf(each)) {
        const base = at - each.start;
        if (!this.#isSameCode(each, base)) continue;
        votes.set(base, (votes.get(base) ?? 0) + 1);
      }
    }
    const most = Math.max(0, ...votes.values());
    return [...votes].filter(([, count]) => count === most || count > 3).map(([base]) => base);
  }

  *#startsOf(each: PlainFunction): Generator<number> {
    const starts = this.#shipped.startsOf(each.size);
    yield* starts;
    if (starts.length > 0) return;
    const [from, to] = this.#longestPlainRun(each);
    if (to - from < LEAST_RUN) return;
    for (const at of this.#shipped.occurrences(each.section.data.subarray(from, to))) yield at - (from - each.start);
  }

  /** Bytes of the function that no relocation touches, in its section. */
  #longestPlainRun(each: PlainFunction): [number, number] {
    let longest: [number, number] = [each.start, each.start];
    let from = each.start;
    for (const [start, end] of [...this.#writtenIn(each), [each.start + each.size, each.start + each.size] as const]) {
      if (start - from > longest[1] - longest[0]) longest = [from, start];
      from = end;
    }
    return longest;
  }

  #referencesIn({ section, start, size }: PlainFunction): PlainReference[] {
    const all = this.#object.references(section);
    let low = 0;
    for (let high = all.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if ((all[middle] as PlainReference).offset < start) low = middle + 1;
      else high = middle;
    }
    const found: PlainReference[] = [];
    for (let i = low; i < all.length && (all[i] as PlainReference).offset < start + size; i++)
      found.push(all[i] as PlainReference);
    return found;
  }

  #writtenIn(each: PlainFunction): [number, number][] {
    return this.#referencesIn(each).flatMap((reference) => {
      const range = this.#linked.written(reference);
      return range === undefined ? [] : [range];
    });
  }

  #isSameCode(each: PlainFunction, base: number): boolean {
    return this.#firstDifference(each, base) === undefined;
  }

  /** Offset in the function; undefined where all bytes but the relocated ones are equal. */
  #firstDifference(each: PlainFunction, base: number): number | undefined {
    const { section, start, size } = each;
    const shipped = this.#shipped.bytes(base + start, size);
    if (shipped === undefined || !this.#shipped.isCode(base + start)) return 0;
    let from = 0;
    for (const [first, end] of [...this.#writtenIn(each), [start + size, start + size] as const]) {
      const to = Math.max(from, first - start);
      if (section.data.compare(shipped, from, to, start + from, start + to) !== 0)
        for (let i = from; i < to; i++) if (section.data[start + i] !== shipped[i]) return i;
      from = Math.max(from, end - start);
    }
    return undefined;
  }

  /** @param isMoved whether the function stands elsewhere than the rest of its section */
  #fit(section: ElfSection, functions: readonly PlainFunction[], base: number, isMoved = false): Fit {
    const claims = this.#claims.copy();
    const equal: PlainFunction[] = [];
    const different = new Map<PlainFunction, ProgramMismatch>();
    if (!isMoved) claims.setBase(section, base);
    for (const each of functions) {
      const mark = claims.mark();
      const mismatch = this.#compare(each, base, claims);
      if (mismatch === undefined) equal.push(each);
      else {
        different.set(each, mismatch);
        claims.rollback(mark);
      }
    }
    return { base, equal, different, claims };
  }

  #compare(each: PlainFunction, base: number, claims: Claims): ProgramMismatch | undefined {
    const at = base + each.start;
    const offset = this.#firstDifference(each, base);
    if (offset !== undefined) return { kind: "bytes", at, offset };
    let behind = 0;
    for (const reference of this.#referencesIn(each)) {
      const range = this.#linked.written(reference);
      const where = reference.offset - each.start;
      if (range === undefined) return { kind: "bytes", at, offset: where };
      // What the linker replaced as a whole has taken the call behind it along.
      if (reference.offset < behind) continue;
      const value = this.#linked.readField(reference, base + reference.offset, each.section.data, this.#shipped);
      const conflict = claims.add(reference, value, true);
      if (conflict !== undefined) return { kind: "target", at, offset: where, ...conflict };
      const isLong = range[1] > reference.offset + 4;
      if (isLong && !this.#isUntouched(each.section, base, range)) behind = range[1];
    }
    return undefined;
  }

  #isUntouched({ data }: ElfSection, base: number, [from]: readonly [number, number]): boolean {
    const shipped = this.#shipped.bytes(base + from, 3);
    return shipped !== undefined && data.compare(shipped, 0, 3, from, from + 3) === 0;
  }

  /** Of equal code in several places: the one that joins what comes before or behind the section in its object. */
  #neighbouring(section: ElfSection, fits: readonly Fit[]): Fit | undefined {
    const alike = this.#object.file.sections.filter(({ flags, size }) => (flags & SHF.EXECINSTR) !== 0 && size > 0);
    const index = alike.indexOf(section);
    const before = alike.slice(0, index).findLast((each) => this.#placed.has(each));
    const after = alike.slice(index + 1).find((each) => this.#placed.has(each));
    const joins = fits.filter(({ base }) => {
      const joinsBefore =
        before !== undefined && aligned((this.#placed.get(before) ?? 0) + before.size, section) === base;
      const joinsAfter = after !== undefined && aligned(base + section.size, after) === this.#placed.get(after);
      return joinsBefore || joinsAfter;
    });
    return joins.length === 1 ? joins[0] : undefined;
  }
}

/** Shorter ones are found everywhere. */
const LEAST_RUN = 8;

function aligned(at: number, { alignment }: ElfSection): number {
  const step = Math.max(1, alignment);
  return Math.ceil(at / step) * step;
}

function isGlobal({ binding, type }: ElfSymbol): boolean {
  return binding !== STB.LOCAL && type !== STT.SECTION;
}
