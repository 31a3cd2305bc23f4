/** Whether two pieces of two objects mean the same: code instruction by instruction, data byte by byte, places by what is there. */
import type { Words } from "../elf/words.ts";
import { areBesideOne, at } from "./beside.ts";
import { type CodeInstruction, codeOf } from "./code.ts";
import { contentsOf, lastEnd, trimmed } from "./contents.ts";
import { differInLines, type LineNumbers } from "./line-numbers.ts";
import { isCounted, plainName, sameButForLines } from "./names.ts";
import { isCode, isStrings, isWritable, type Named, type Place, type PlainObject } from "./plain-object.ts";
import { ownLength, reportedIn } from "./reported.ts";
import { type Spot, sameString } from "./strings.ts";
import { type Entry, replacementLength, type Tables } from "./tables.ts";

/** One of two objects that are compared, and its tables by function. */
export interface Side {
  readonly object: PlainObject;
  readonly tables: Tables;
}

/** How it is told whether a place of one side is one of the other, beyond what both define: undefined where it is left to that. */
export type PlaceRule = (
  a: Place,
  b: Place,
  kind: "branch" | "other",
) => { readonly reason: string | undefined } | undefined;

/** Whether the first side may do without an entry of the second one's, by the instruction of its own that the entry is about. */
export type LackRule = (entry: Entry, of: PlainObject, instruction: CodeInstruction) => boolean;

/** What counts as the same beyond what both sides show. */
export interface Rules {
  readonly place?: PlaceRule;
  readonly mayLack?: LackRule;
}

/** A sentence part that says where they differ; undefined where they do not. */
export type Reason = string | undefined;

/**
 * Compares pieces of two objects, and remembers what it found: which variables with
 * compiler's numbers go together is fixed by the first functions that use them, so that
 * one object serves for all pairs of two objects.
 */
export class Sameness {
  readonly #a: Side;
  readonly #b: Side;
  readonly #lines: LineNumbers;
  readonly #rule: PlaceRule;
  readonly #mayLack: LackRule;
  readonly #code = new Map<Named, CodeInstruction[]>();
  readonly #positions = new Map<Named, (offset: number) => number>();
  /** Pairs that are being compared, or were: what refers to itself is the same if all else is. */
  readonly #data = new Map<string, Reason>();
  /** Writable things that the compiler numbers: each side's goes with one of the other. */
  readonly #bound = new Map<Named, Named>();
  readonly #boundBack = new Map<Named, Named>();
  /** By both names; what calls itself is the same if all else is. */
  readonly #renamed = new Map<string, boolean>();
  #trail: [Named, Named][] = [];

  constructor(a: Side, b: Side, lines: LineNumbers, { place = () => undefined, mayLack = () => false }: Rules = {}) {
    this.#a = a;
    this.#b = b;
    this.#lines = lines;
    this.#rule = place;
    this.#mayLack = mayLack;
  }

  get #words(): Words {
    return this.#a.object.arch.elf.words;
  }

  functions(a: Named, b: Named): Reason {
    this.#trail = [];
    const reason =
      this.#sameCode(this.#codeOf(this.#a.object, a), this.#codeOf(this.#b.object, b)) ?? this.#entries(a, b);
    if (reason === undefined) {
      for (const [mine, other] of this.#trail) {
        this.#bound.set(mine, other);
        this.#boundBack.set(other, mine);
      }
    }
    return reason;
  }

  /** The second side's of what the compiler numbers, as functions that are the same use them. */
  partnerOf(a: Named): Named | undefined {
    return this.#bound.get(a);
  }

  variables(a: Named, b: Named): Reason {
    if (a.end - a.start !== b.end - b.start) return `it has ${b.end - b.start} bytes instead of ${a.end - a.start}`;
    this.#trail = [];
    return this.#bytes(startOf(a), startOf(b), b.end - b.start, true);
  }

  /** Whole sections that have no symbols. */
  sections(a: Named["section"], b: Named["section"]): Reason {
    if (a.size !== b.size) return `it has ${b.size} bytes instead of ${a.size}`;
    this.#trail = [];
    return this.#bytes({ section: a, offset: 0 }, { section: b, offset: 0 }, b.size, true);
  }

  #codeOf(object: PlainObject, named: Named): CodeInstruction[] {
    let code = this.#code.get(named);
    if (code === undefined) {
      code = codeOf(object, named.section, named.start, named.end);
      this.#code.set(named, code);
    }
    return code;
  }

  #sameCode(a: readonly CodeInstruction[], b: readonly CodeInstruction[]): Reason {
    const reason = this.#instructions(a, b);
    if (reason === undefined) return undefined;
    const [left, right] = [a, b].map((code) => code.filter(({ isFiller }) => !isFiller)) as [
      CodeInstruction[],
      CodeInstruction[],
    ];
    if (left.length === a.length && right.length === b.length) return reason;
    return this.#instructions(left, right) === undefined ? undefined : reason;
  }

  #instructions(a: readonly CodeInstruction[], b: readonly CodeInstruction[]): Reason {
    const [numbersA, numbersB] = [numbering(a), numbering(b)];
    const count = Math.min(a.length, b.length);
    for (let i = 0; i < count; i++) {
      const [mine, other] = [a[i] as CodeInstruction, b[i] as CodeInstruction];
      const at = `at +0x${other.offset.toString(16)}`;
      if (mine.text !== other.text && !this.#isLine(mine, other)) return `another instruction ${at}`;
      const within = mine.within === undefined ? undefined : numbersA(mine.within);
      if (within !== (other.within === undefined ? undefined : numbersB(other.within)))
        return `a jump to another place ${at}`;
      if (mine.references.length !== other.references.length) return `another operand ${at}`;
      for (const [n, { place, kind }] of mine.references.entries()) {
        const reason = this.#places(place, (other.references[n] as { place: Place }).place, kind);
        if (reason !== undefined) return `${reason} ${at}`;
      }
    }
    return a.length === b.length ? undefined : `${b.length} instructions instead of ${a.length}`;
  }

  #isLine(a: CodeInstruction, b: CodeInstruction): boolean {
    const [before, after] = [a, b].map(({ bytes }) => this.#a.object.plainCode.passedNumber(bytes));
    if (before !== undefined && after !== undefined) return this.#lines.areSame(before, after);
    const size = a.bytes.length;
    if (size !== b.bytes.length || size < 5 || a.references.length > 0) return false;
    if (!a.bytes.subarray(0, size - 4).equals(b.bytes.subarray(0, size - 4))) return false;
    return differInLines(a.bytes.subarray(size - 4), b.bytes.subarray(size - 4), {
      lines: this.#lines,
      words: this.#words,
      sizes: [4],
    });
  }

  #entries(a: Named, b: Named): Reason {
    const [left, right] = [this.#a.tables.of(a), this.#b.tables.of(b)];
    const names = new Set([...left, ...right].map(({ table }) => table));
    for (const table of names) {
      const [mine, others] = [left, right].map((list) => list.filter((each) => each.table === table)) as [
        Entry[],
        Entry[],
      ];
      const wanted = mine.length === others.length ? others : this.#withoutLacking(mine, others, a, b);
      if (mine.length !== wanted.length) return `${others.length} entries of ${table} instead of ${mine.length}`;
      for (const [i, entry] of mine.entries()) {
        const reason = this.#entry(entry, wanted[i] as Entry, a, b);
        if (reason !== undefined) return `an entry of ${table}: ${reason}`;
      }
    }
    return undefined;
  }

  /** The second side's entries but for those that the first one has none for, and need have none for. */
  #withoutLacking(mine: readonly Entry[], others: readonly Entry[], a: Named, b: Named): Entry[] {
    const code = this.#codeOf(this.#a.object, a);
    const positionIn = numbering(this.#codeOf(this.#b.object, b));
    const left = [...mine];
    return others.filter((entry) => {
      const [next] = left;
      if (next !== undefined && this.#entry(next, entry, a, b) === undefined) {
        left.shift();
        return true;
      }
      const instruction = code[positionIn(entry.at)];
      return instruction === undefined || !this.#mayLack(entry, this.#b.object, instruction);
    });
  }

  /** The how manieth instruction it is from there on, of those that do something: what fills up depends on where a function lies. */
  #position({ object }: Side, named: Named, offset: number): number {
    let positions = this.#positions.get(named);
    if (positions === undefined) {
      positions = numbering(this.#codeOf(object, named).filter(({ isFiller }) => !isFiller));
      this.#positions.set(named, positions);
    }
    return positions(offset);
  }

  #entry(a: Entry, b: Entry, ofA: Named, ofB: Named): Reason {
    if (this.#position(this.#a, ofA, a.at) !== this.#position(this.#b, ofB, b.at)) return "it is about another place";
    if (a.fields.length !== b.fields.length) return "it has other fields";
    const cleared = [a, b].map((entry) => {
      const bytes = Buffer.from(entry.section.data.subarray(entry.start, entry.end));
      const object = entry === a ? this.#a.object : this.#b.object;
      for (const { offset, size } of object.fieldsIn(entry.section, entry.start, entry.end))
        bytes.fill(0, offset - entry.start, offset - entry.start + size);
      return bytes;
    }) as [Buffer, Buffer];
    if (
      !cleared[0].equals(cleared[1]) &&
      !differInLines(cleared[0], cleared[1], { lines: this.#lines, words: this.#words, sizes: [2, 4] })
    )
      return "other contents";
    for (const [i, field] of a.fields.entries()) {
      const other = b.fields[i] as typeof field;
      if (field.offset - a.start !== other.offset - b.start) return "it has other fields";
      const [mine, its] = [this.#a.object.placeOf(field), this.#b.object.placeOf(other)];
      const length = replacementLength(a);
      const reason =
        length !== undefined && mine.kind !== "elsewhere" && its.kind !== "elsewhere"
          ? this.#codeAt(mine, its, length)
          : this.#places(mine, its, "other");
      if (reason !== undefined) return reason;
    }
    return undefined;
  }

  /** What code hands on of a table: it has to be about the same place of the same function, and say the same. */
  #sameEntry(a: Held, b: Held, atA: number, atB: number): Reason {
    if (a === undefined || b === undefined || a === "unowned" || b === "unowned")
      return "a place that is no entry about a function";
    if (a.table !== b.table || atA - a.start !== atB - b.start) return `another place of ${b.table}`;
    const about = ({ owner, at: offset }: Entry) =>
      ({ kind: "named", named: owner, offset, mayBeEmpty: false }) as const;
    const reason = this.#named(about(a), about(b)) ?? this.#entry(a, b, a.owner, b.owner);
    return reason === undefined ? undefined : `an entry of ${b.table}: ${reason}`;
  }

  #codeAt(a: Exclude<Place, { kind: "elsewhere" }>, b: Exclude<Place, { kind: "elsewhere" }>, length: number): Reason {
    const [left, right] = [at(a), at(b)];
    return this.#instructions(
      codeOf(this.#a.object, left.section, left.offset, left.offset + length),
      codeOf(this.#b.object, right.section, right.offset, right.offset + length),
    );
  }

  #places(a: Place, b: Place, kind: "branch" | "other"): Reason {
    const ruled = this.#rule(a, b, kind);
    if (ruled !== undefined) return ruled.reason;
    if (a.kind === "elsewhere" && b.kind === "elsewhere")
      return a.name === b.name && a.offset === b.offset ? undefined : `${said(b)} instead of ${said(a)}`;
    if (a.kind === "elsewhere" || b.kind === "elsewhere") {
      const outside = a.kind === "elsewhere" ? a : (b as Place & { kind: "elsewhere" });
      const inside = a.kind === "elsewhere" ? b : a;
      const isSame = inside.kind === "named" && inside.named.name === outside.name && inside.offset === outside.offset;
      return isSame ? undefined : `${said(b)} instead of ${said(a)}`;
    }
    if (a.mayBeEmpty && b.mayBeEmpty) return undefined;
    const [entry, other] = [entryOf(this.#a, a), entryOf(this.#b, b)];
    if (entry !== undefined || other !== undefined) return this.#sameEntry(entry, other, at(a).offset, at(b).offset);
    const reason = a.kind === "named" && b.kind === "named" ? this.#named(a, b) : this.contents(a, b);
    return reason === undefined || areBesideOne(a, this.#a.object, b, this.#b.object) ? undefined : reason;
  }

  #named(a: Place & { kind: "named" }, b: Place & { kind: "named" }): Reason {
    const [mine, other] = [a.named, b.named];
    const isNamedSo =
      plainName(mine.name) === plainName(other.name) ||
      sameButForLines(mine.name, other.name, this.#lines) ||
      (isLocalConstant(mine) && isLocalConstant(other)) ||
      this.#isRenamed(mine, other);
    if (!isNamedSo) return `${said(b)} instead of ${said(a)}`;
    if (mine.kind === "function" && other.kind === "function") {
      if (a.offset === 0 && b.offset === 0) return undefined;
      const isSame = this.#position(this.#a, mine, a.offset) === this.#position(this.#b, other, b.offset);
      return isSame ? undefined : `another place of ${other.name}`;
    }
    if (a.offset !== b.offset) return `${said(b)} instead of ${said(a)}`;
    if (mine.name === other.name && !isCounted(mine.name)) return undefined;
    if (!isWritable(mine.section) && mine.end - mine.start !== other.end - other.start) return "another size";
    if (!isWritable(mine.section)) return this.contents({ ...a, offset: 0 }, { ...b, offset: 0 });
    const [bound, back] = [this.#bound.get(mine), this.#boundBack.get(other)];
    if ((bound !== undefined && bound !== other) || (back !== undefined && back !== mine))
      return `another of the variables named ${plainName(other.name)}`;
    this.#trail.push([mine, other]);
    return undefined;
  }

  /** Whether a function that only its file knows has but another name: the one is gone, the other is new, and does the same. */
  #isRenamed(a: Named, b: Named): boolean {
    if (a.kind !== "function" || b.kind !== "function" || a.isGlobal || b.isGlobal) return false;
    const isThere = ({ named }: PlainObject, name: string): boolean => named.some((each) => each.name === name);
    if (isThere(this.#a.object, b.name) || isThere(this.#b.object, a.name)) return false;
    const key = `${a.name} ${b.name}`;
    const known = this.#renamed.get(key);
    if (known !== undefined) return known;
    this.#renamed.set(key, true);
    const reason =
      this.#sameCode(this.#codeOf(this.#a.object, a), this.#codeOf(this.#b.object, b)) ?? this.#entries(a, b);
    this.#renamed.set(key, reason === undefined);
    return reason === undefined;
  }

  /** What lies there: of the second side a string to its end, a named thing whole, anything else up to the next thing. */
  contents(a: Exclude<Place, { kind: "elsewhere" }>, b: Exclude<Place, { kind: "elsewhere" }>): Reason {
    const [left, right] = [at(a), at(b)];
    if (isStrings(right.section)) return sameString(left, right, this.#lines) ? undefined : "another string";
    const end =
      b.kind === "named" ? b.named.end : this.#b.object.anonymousEnd(right.section, Math.max(0, right.offset));
    if (right.offset < 0 || left.offset < 0) return left.offset === right.offset ? undefined : "another place";
    const length = end - right.offset;
    // What code indexes from may lie beyond all that there is.
    if (length < 0 || left.offset > left.section.size)
      return left.offset - left.section.size === right.offset - right.section.size ? undefined : "another place";
    if (isCode(right.section)) return this.#codeAt(a, b, Math.min(length, left.section.size - left.offset));
    return this.#bytes(left, right, length, b.kind === "named");
  }

  #bytes(a: Spot, b: Spot, length: number, isWhole: boolean): Reason {
    const key = `${a.section.index} ${a.offset} ${b.section.index} ${b.offset} ${length}`;
    if (this.#data.has(key)) return this.#data.get(key);
    this.#data.set(key, undefined);
    const reason = this.#bytesOnce(a, b, isWhole ? length : this.#filled(b, ownLength(this.#b.object, b, length)));
    this.#data.set(key, reason);
    return reason;
  }

  /** What fills up to the next thing is not part of one that has no symbol: at least one byte is. */
  #filled({ section, offset: start }: Spot, size: number): number {
    const fields = this.#b.object.fieldsIn(section, start, start + size);
    const filled = Math.max(trimmed(section.data.subarray(start, start + size)), lastEnd(fields, start));
    return Math.min(size, Math.max(1, filled));
  }

  #bytesOnce({ section: a, offset: startA }: Spot, { section: b, offset: startB }: Spot, length: number): Reason {
    if (startA + length > a.size) return "another place";
    const fieldsB = this.#b.object.fieldsIn(b, startB, startB + length);
    const fieldsA = this.#a.object.fieldsIn(a, startA, startA + length);
    if (fieldsA.length !== fieldsB.length) return "other addresses in it";
    const [left, right] = [contentsOf(a, startA, length), contentsOf(b, startB, length)];
    for (const [i, field] of fieldsA.entries()) {
      const other = fieldsB[i] as typeof field;
      const offset = field.offset - startA;
      if (offset !== other.offset - startB || field.type !== other.type) return `another address at +${offset}`;
      left.fill(0, offset, offset + field.size);
      right.fill(0, offset, offset + field.size);
      const reason = this.#places(this.#a.object.placeOf(field), this.#b.object.placeOf(other), "other");
      if (reason !== undefined) return `${reason} at +${offset}`;
    }
    for (const bytes of [left, right])
      bytes.fill(0, ...reportedIn(this.#b.object, { section: b, offset: startB }, length));
    if (left.equals(right) || differInLines(left, right, { lines: this.#lines, words: this.#words, sizes: [4] }))
      return undefined;
    return `other bytes at +${left.findIndex((byte, i) => byte !== right[i])}`;
  }
}

type Held = ReturnType<Tables["holding"]>;

function entryOf({ tables }: Side, place: Exclude<Place, { kind: "elsewhere" }>): Held {
  const { section, offset } = at(place);
  return tables.holding(section, offset);
}

/** What is told by its contents: nobody else knows its name. */
function isLocalConstant({ kind, isGlobal, section }: Named): boolean {
  return kind === "object" && !isGlobal && !isWritable(section);
}

/** The place as messages name it: by its symbol and an offset in bytes, or by its section where it has none. */
export function said(place: Place): string {
  switch (place.kind) {
    case "anonymous":
      return `${place.section.name}+${place.offset}`;
    case "elsewhere":
      return place.name;
    case "named":
      return place.offset === 0 ? place.named.name : `${place.named.name}+${place.offset}`;
  }
}

function startOf({ section, start }: Named): Spot {
  return { section, offset: start };
}

/** By offset, the number of the first instruction from there on. */
function numbering(code: readonly CodeInstruction[]): (offset: number) => number {
  return (offset) => {
    let low = 0;
    let high = code.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((code[middle] as CodeInstruction).offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}
