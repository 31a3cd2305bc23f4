/** The structs of include/suture/switch.h, which the code that switches a livepatch walks. */
import type { FieldTarget, Image, OutputSection } from "./image.ts";
import type { Callbacks } from "./klp.ts";

const SWITCH = {
  size: 104,
  name: 0,
  places: 8,
  placeCount: 16,
  oldCode: 24,
  oldCodeCount: 32,
  newCode: 40,
  pre_patch: 64,
  post_unpatch: 72,
  words: 80,
  wordCount: 88,
  isReachable: 96,
} as const;
const PLACE = { size: 48, at: 0, to: 8, name: 16, expected: 24, mask: 32 } as const;
const WORD = {
  size: 64,
  at: 0,
  before: 8,
  after: 16,
  name: 24,
  bytes: 32,
  copied: 40,
  entry: 48,
  entrySize: 56,
} as const;
const RANGE = { size: 24, from: 0, bytes: 8, name: 16 } as const;

/** An address that is filled in when the livepatch is loaded. */
export interface Pointer {
  readonly target: FieldTarget;
  readonly addend: number;
}

/** Where a function of the running object is led to its new version. */
export interface Place {
  readonly name: string;
  readonly at: Pointer;
  readonly to: Pointer;
  /** Eight bytes each, of which the jump overwrites the first. */
  readonly expected: Buffer;
  readonly mask: Buffer;
}

/** A stretch of code that no task may be in. */
export interface Range {
  readonly name: string;
  readonly from: Pointer;
  readonly bytes: number;
}

/**
 * Bytes of a running variable or constant that are overwritten when all is switched,
 * and put back when it is switched back.
 */
export interface Word {
  readonly name: string;
  readonly at: Pointer;
  readonly bytes: number;
  readonly before: Value;
  readonly after: Value;
  /** Bytes of what `after` points to, where a copy of that is to take its place; else 0. */
  readonly copied: number;
  /** The entry of a table of sysctls that it is part of, of which the kernel may use a copy. */
  readonly entry?: { readonly from: Pointer; readonly bytes: number } | undefined;
}

/** Binds a pointer that is to lie at an offset of the section. */
type Bind = (section: OutputSection, offset: number) => void;

/** What a word holds: bytes as they are, or an address that is known when the livepatch is loaded. */
export type Value =
  | { readonly kind: "bytes"; readonly bytes: Buffer }
  | { readonly kind: "pointer"; readonly bind: Bind };

/** Everything that happens in the one moment in which the machine stands still. */
export interface SwitchTable {
  readonly livepatch: string;
  readonly places: readonly Place[];
  readonly oldCode: readonly Range[];
  readonly newCode: Range;
  readonly words: readonly Word[];
  /** Whether the running object then has pointers into the livepatch. */
  readonly isReachable: boolean;
  /** The diff's own. */
  readonly callbacks: Callbacks;
}

/** Lays a struct suture_switch, and what it points to, among the livepatch's variables. */
export function placeSwitchTable(table: SwitchTable, image: Image): FieldTarget {
  return new Writer(image).table(table);
}

class Writer {
  readonly #image: Image;
  readonly #section: OutputSection;

  constructor(image: Image) {
    this.#image = image;
    this.#section = image.variables();
  }

  table({ livepatch, places, oldCode, newCode, words, isReachable, callbacks }: SwitchTable): FieldTarget {
    const placesAt = this.#list(places, PLACE.size, (place, at) => this.#place(place, at));
    const oldCodeAt = this.#list(oldCode, RANGE.size, (range, at) => this.#range(range, at));
    const wordsAt = this.#list(words, WORD.size, (word, at) => this.#word(word, at));
    const at = this.#reserve(SWITCH.size);
    this.#string(at + SWITCH.name, livepatch);
    this.#pointer(at + SWITCH.places, this.#here(placesAt));
    this.#pointer(at + SWITCH.oldCode, this.#here(oldCodeAt));
    this.#pointer(at + SWITCH.words, this.#here(wordsAt));
    this.#range(newCode, at + SWITCH.newCode);
    this.#section.write64([
      [at + SWITCH.placeCount, places.length],
      [at + SWITCH.oldCodeCount, oldCode.length],
      [at + SWITCH.wordCount, words.length],
      [at + SWITCH.isReachable, isReachable ? 1 : 0],
    ]);
    for (const name of ["pre_patch", "post_unpatch"] as const) {
      const callback = callbacks[name];
      if (callback !== undefined) this.#pointer(at + SWITCH[name], callback);
    }
    return this.#here(at).target;
  }

  #list<Item>(items: readonly Item[], size: number, write: (item: Item, at: number) => void): number {
    const from = this.#reserve(items.length * size);
    for (const [i, item] of items.entries()) write(item, from + i * size);
    return from;
  }

  #place({ name, at, to, expected, mask }: Place, offset: number): void {
    this.#pointer(offset + PLACE.at, at);
    this.#pointer(offset + PLACE.to, to);
    this.#string(offset + PLACE.name, name);
    this.#bytes(offset + PLACE.expected, expected);
    this.#bytes(offset + PLACE.mask, mask);
  }

  #range({ name, from, bytes }: Range, offset: number): void {
    this.#pointer(offset + RANGE.from, from);
    this.#section.write64([[offset + RANGE.bytes, bytes]]);
    this.#string(offset + RANGE.name, name);
  }

  #word({ name, at, bytes, before, after, copied, entry }: Word, offset: number): void {
    this.#pointer(offset + WORD.at, at);
    this.#value(offset + WORD.before, before);
    this.#value(offset + WORD.after, after);
    this.#string(offset + WORD.name, name);
    this.#section.write64([
      [offset + WORD.bytes, bytes],
      [offset + WORD.copied, copied],
      [offset + WORD.entrySize, entry?.bytes ?? 0],
    ]);
    if (entry !== undefined) this.#pointer(offset + WORD.entry, entry.from);
  }

  #value(offset: number, value: Value): void {
    if (value.kind === "pointer") value.bind(this.#section, offset);
    else this.#bytes(offset, value.bytes);
  }

  #bytes(offset: number, bytes: Buffer): void {
    for (const [i, byte] of bytes.entries()) this.#section.write8(offset + i, byte);
  }

  #reserve(size: number): number {
    return this.#section.append(Buffer.alloc(size), size, 8);
  }

  #here(offset: number): Pointer {
    return { target: { kind: "section", section: this.#section, offset }, addend: 0 };
  }

  #string(offset: number, text: string): void {
    this.#pointer(offset, { target: this.#image.string(text), addend: 0 });
  }

  #pointer(offset: number, { target, addend }: Pointer): void {
    this.#section.fields.push({ offset, type: this.#image.arch.elf.relocations.pointer, target, addend });
  }
}
