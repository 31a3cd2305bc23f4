/** Where the shipped code's fields say that symbols lie: all that speak of one must agree. */

import type { FieldValue, PlainReference, SlotTarget } from "../../../arch/linked-fields.ts";
import { SHF, STB, STT } from "../../../elf/constants.ts";
import type { ElfSection, ElfSymbol } from "../../../elf/model.ts";
import type { ShippedProgram } from "../shipped/shipped-program.ts";
import { isFolded, isThreadLocal, type PlainObject } from "./plain-object.ts";

/** Where something lies that the unit does not define. */
export type External =
  | { readonly kind: "place"; readonly at: number }
  | { readonly kind: "thread"; readonly offset: number }
  /** Another object's; `stub`: where calls of it go, if any was seen. */
  | { readonly kind: "import"; readonly stub: number | undefined };

/** What two fields say of one symbol, in words for a reader. */
export interface Conflict {
  readonly wanted: string;
  readonly found: string;
}

/** Grows as code is matched; a match that turns out not to hold is taken back as a whole. */
export class Claims {
  readonly #object: PlainObject;
  readonly #shipped: ShippedProgram;
  /** By section index: where the section starts; for thread-local ones its offset in the storage. */
  readonly #bases: Map<number, number>;
  /** Of symbols that other files may define instead, by name. */
  readonly #globals: Map<string, number>;
  readonly #externals: Map<string, External>;
  /** By their bytes as latin-1; undefined where fields say two places. */
  readonly #literals: Map<string, number | undefined>;
  readonly #done: (() => void)[] = [];

  constructor(object: PlainObject, shipped: ShippedProgram, from?: Claims) {
    this.#object = object;
    this.#shipped = shipped;
    this.#bases = new Map(from === undefined ? [] : from.#bases);
    this.#globals = new Map(from === undefined ? [] : from.#globals);
    this.#externals = new Map(from === undefined ? [] : from.#externals);
    this.#literals = new Map(from === undefined ? [] : from.#literals);
  }

  copy(): Claims {
    return new Claims(this.#object, this.#shipped, this);
  }

  base({ index }: ElfSection): number | undefined {
    return this.#bases.get(index);
  }

  setBase({ index }: ElfSection, at: number): void {
    this.#bases.set(index, at);
  }

  /** Whether code that is there leads to it with no slot or stub between: the linker has bound it inside of the object. */
  isDirect(name: string): boolean {
    return this.#globals.has(name) || this.#externals.get(name)?.kind === "place";
  }

  external(name: string): External | undefined {
    return this.#externals.get(name);
  }

  /** Where a string or constant lies that the linker has folded. @param bytes latin-1, a string's terminator included */
  literal(bytes: string): number | undefined {
    return this.#literals.get(bytes);
  }

  /** A point to which `rollback` goes back. */
  mark(): number {
    return this.#done.length;
  }

  /** Forgets what was added since the mark. */
  rollback(mark: number): void {
    for (const undo of this.#done.splice(mark).reverse()) undo();
  }

  #note<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void {
    const [before, wasThere] = [map.get(key), map.has(key)];
    this.#done.push(() => (wasThere ? map.set(key, before as Value) : map.delete(key)));
    map.set(key, value);
  }

  /** Where a symbol of the unit lies; for a thread-local one its offset in the storage. */
  place(symbol: ElfSymbol): number | undefined {
    const section = this.#object.sectionOf(symbol);
    const base = section === undefined ? undefined : this.#bases.get(section.index);
    const global = this.#globals.get(symbol.name);
    if (global !== undefined && symbol.binding !== STB.LOCAL) return global;
    const [named] = symbol.binding === STB.LOCAL ? [] : this.#shipped.places(symbol.name);
    if (named !== undefined) return named.at;
    // Which one the linker took nothing says then.
    if (symbol.binding === STB.WEAK && ((section?.flags ?? 0) & SHF.GROUP) === 0) return undefined;
    return base === undefined ? undefined : base + Number(symbol.value);
  }

  /**
   * Takes in what a field says of its symbol.
   * @param isCode whether the field is an operand, and counts from behind itself
   * @returns what it says against what is known
   */
  add(reference: PlainReference, value: FieldValue, isCode: boolean): Conflict | undefined {
    const { symbol } = reference;
    switch (value.kind) {
      case "nothing":
        return undefined;
      case "wrong":
        return { wanted: nameOf(symbol, this.#object), found: "an instruction that the linker does not make of it" };
      case "slot":
        return this.#addSlot(reference, value.target);
      case "thread":
        return this.#addPlace(reference, value.offset, isCode, true);
      case "place":
        return this.#addPlace(reference, value.at, isCode, false);
    }
  }

  #addSlot(reference: PlainReference, target: SlotTarget): Conflict | undefined {
    const { symbol } = reference;
    switch (target.kind) {
      case "place":
        return this.#addPlace(reference, target.at, true, false);
      case "name":
        if (target.name !== symbol.name) return { wanted: nameOf(symbol, this.#object), found: target.name };
        if (symbol.place.kind === "undefined") this.#addImport(symbol.name, undefined);
        return undefined;
      case "thread":
        if (target.name !== "")
          return target.name === symbol.name ? undefined : { wanted: symbol.name, found: target.name };
        return this.#addPlace(reference, target.offset, true, true);
      case "chosen":
        return undefined;
    }
  }

  #addPlace(reference: PlainReference, at: number, isCode: boolean, isThread: boolean): Conflict | undefined {
    const { symbol } = reference;
    const section = this.#object.sectionOf(symbol);
    if (symbol.place.kind === "absolute") return undefined;
    if (section === undefined) return this.#addExternal(symbol, at, isThread);
    if (isThreadLocal(section) !== isThread)
      return { wanted: nameOf(symbol, this.#object), found: "something of another storage" };
    if (isFolded(section)) return this.#compareLiteral(reference, section, at, isCode);
    const stub = isThread || symbol.binding === STB.LOCAL ? undefined : this.#shipped.stub(at);
    if (stub !== undefined) {
      // A library's own function may be another's: its calls go the long way.
      const isOwn = stub.kind === "name" ? stub.name === symbol.name : stub.kind === "place";
      return isOwn ? undefined : { wanted: symbol.name, found: describe(stub) };
    }
    if (symbol.binding !== STB.LOCAL) return this.#addGlobal(symbol, section, at);
    return this.#addBase(symbol, section, at - Number(symbol.value), at);
  }

  #addBase(symbol: ElfSymbol, section: ElfSection, base: number, at: number): Conflict | undefined {
    const known = this.#bases.get(section.index);
    if (known !== undefined && known !== base) return { wanted: nameOf(symbol, this.#object), found: hex(at) };
    this.#note(this.#bases, section.index, base);
    return undefined;
  }

  /** Which may be the one that another file defines, for weak symbols and those of C++'s templates. */
  #addGlobal(symbol: ElfSymbol, section: ElfSection, at: number): Conflict | undefined {
    const known = this.#globals.get(symbol.name);
    if (known !== undefined && known !== at) return { wanted: symbol.name, found: hex(at) };
    const named = this.#shipped.places(symbol.name);
    if (named.length > 0 && !named.some((each) => each.at === at)) return { wanted: symbol.name, found: hex(at) };
    const base = at - Number(symbol.value);
    const other = this.#bases.get(section.index);
    const isGroup = (section.flags & SHF.GROUP) !== 0;
    const isReplaceable = symbol.binding === STB.WEAK || isGroup;
    if (other !== undefined && other !== base && !isReplaceable) return { wanted: symbol.name, found: hex(at) };
    this.#note(this.#globals, symbol.name, at);
    // Another file's weak symbol says nothing of what lies beside this file's; a group is replaced as a whole.
    if (other === undefined && (!isReplaceable || isGroup)) this.#note(this.#bases, section.index, base);
    return undefined;
  }

  #addExternal(symbol: ElfSymbol, at: number, isThread: boolean): Conflict | undefined {
    const { name, binding } = symbol;
    if (binding === STB.WEAK && at === 0) return undefined;
    const stub = isThread ? undefined : this.#shipped.stub(at);
    if (stub?.kind === "name") {
      if (stub.name !== name) return { wanted: name, found: stub.name };
      this.#addImport(name, at);
      return undefined;
    }
    const named = this.#shipped.places(name);
    const isNamed = named.some((each) => each.at === at);
    if (named.length > 0 && !isNamed) return { wanted: name, found: hex(at) };
    const known = this.#externals.get(name);
    const knownAt = known?.kind === "place" ? known.at : known?.kind === "thread" ? known.offset : undefined;
    if (knownAt !== undefined && knownAt !== at) return { wanted: name, found: hex(at) };
    this.#note(this.#externals, name, isThread ? { kind: "thread", offset: at } : { kind: "place", at });
    return undefined;
  }

  #addImport(name: string, stub: number | undefined): void {
    const known = this.#externals.get(name);
    if (known === undefined || (known.kind === "import" && known.stub === undefined))
      this.#note(this.#externals, name, { kind: "import", stub });
  }

  /** What the linker folds is what it holds. */
  #compareLiteral(
    { symbol, addend, type }: PlainReference,
    section: ElfSection,
    at: number,
    isCode: boolean,
  ): Conflict | undefined {
    const within =
      symbol.type === STT.SECTION
        ? addend + (isCode ? this.#object.arch.code.usualReach(type) : 0)
        : Number(symbol.value);
    const start = symbol.type === STT.SECTION ? at + within : at;
    const own = literalAt(section, within);
    const shipped = this.#shipped.bytes(start, own.length);
    if (shipped?.equals(own) === true) {
      const bytes = own.toString("latin1");
      const known = this.#literals.has(bytes) ? this.#literals.get(bytes) : start;
      this.#note(this.#literals, bytes, known === start ? start : undefined);
      return undefined;
    }
    return { wanted: readable(own), found: shipped === undefined ? hex(start) : readable(shipped) };
  }
}

function literalAt({ data, entrySize, flags }: ElfSection, start: number): Buffer {
  const width = Math.max(1, entrySize);
  if ((flags & SHF.STRINGS) === 0) return data.subarray(start, start + width);
  let end = start;
  while (end + width <= data.length && data.subarray(end, end + width).some((byte) => byte !== 0)) end += width;
  return data.subarray(start, Math.min(end + width, data.length));
}

function nameOf(symbol: ElfSymbol, object: PlainObject): string {
  if (symbol.name !== "" && symbol.type !== STT.SECTION) return symbol.name;
  return object.sectionOf(symbol)?.name ?? "nothing";
}

function describe(target: SlotTarget): string {
  return target.kind === "name" ? target.name : target.kind;
}

function hex(at: number): string {
  return `what lies at 0x${at.toString(16)}`;
}

function readable(bytes: Buffer): string {
  return JSON.stringify(bytes.subarray(0, 30).toString("latin1"));
}
