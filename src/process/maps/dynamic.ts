/** The dynamic section of a mapped object: its symbols, and the slots that the dynamic linker has filled. */
import type { SlotKind } from "../../arch/load-abi.ts";
import { PT } from "../../elf/constants.ts";
import { nativeLoad, nativeWords } from "../os/native.ts";
import { type MappedElf, type ReadMemory, tried } from "./mapped-elf.ts";

/** d_tag */
const DT = {
  NULL: 0,
  NEEDED: 1,
  PLTRELSZ: 2,
  HASH: 4,
  STRTAB: 5,
  SYMTAB: 6,
  RELA: 7,
  RELASZ: 8,
  STRSZ: 10,
  SONAME: 14,
  SYMBOLIC: 16,
  JMPREL: 23,
  DEBUG: 21,
  FLAGS: 30,
  GNU_HASH: 0x6ffffef5,
  VERSYM: 0x6ffffff0,
} as const;

const DF_SYMBOLIC = 2;

const SYMBOL_SIZE = 24;
const RELA_SIZE = 24;
const MAX_BYTES = 64 << 20;
const STT_GNU_IFUNC = 10;
const STT_TLS = 6;
const STV = { INTERNAL: 1, HIDDEN: 2, PROTECTED: 3 } as const;
/** A version's number, less the bit that says whether it is the default one; 0 is for what no one else sees. */
const VERSION = 0x7fff;
/** An object that needs more is none. */
const MAX_NEEDED = 4096;

/** A definition in .dynsym, as far as binding to it depends on it. */
export interface DynamicSymbol {
  readonly name: string;
  /** In the object's own address space; for a thread-local one the offset in its storage. */
  readonly value: number;
  /** Bytes. */
  readonly size: number;
  readonly type: "plain" | "ifunc" | "thread";
  readonly isWeak: boolean;
  /** Whether it is the version that a name without one means. */
  readonly isDefault: boolean;
  /** Whether the object's own references are to it, whatever else has its name. */
  readonly isProtected: boolean;
}

/** A slot that the dynamic linker fills in. */
export interface Slot {
  readonly kind: SlotKind;
  /** Empty where it is about the object itself. */
  readonly name: string;
  /** Where it lies in the process. */
  readonly at: number;
  /** For `chosen` the function that chose, in the object's own address space; for `pointer` what is added to the address. */
  readonly addend: number;
}

/** What the dynamic linker knows of an object, as far as it can be read; nothing in it is trusted. */
export interface DynamicObject {
  readonly soname: string | undefined;
  /** sonames or paths of the objects that it needs, in their order. */
  readonly needed: readonly string[];
  /** Whether its own definitions come first for its own references (-Bsymbolic). */
  readonly isSymbolic: boolean;
  readonly slots: readonly Slot[];
  /** Where a struct r_debug lies; 0 where there is none. */
  readonly debug: number;
  /** Definition of a name, the default version before others. */
  find(name: string): DynamicSymbol | undefined;
  /** Definitions whose value is this address of the object's own. */
  at(value: number): readonly DynamicSymbol[];
}

/** What the symbol tables of files define, by device and inode: the same in every process that has loaded the file. */
export type KnownSymbols = Map<string, ReadonlyMap<string, DynamicSymbol>>;

/** @returns undefined for an object that is not dynamically linked, or whose tables cannot be read */
export function readDynamic(
  elf: MappedElf,
  read: ReadMemory,
  file: string,
  known: KnownSymbols,
): DynamicObject | undefined {
  const segment = elf.segments.find(({ type }) => type === PT.DYNAMIC);
  if (segment === undefined || segment.memorySize > 1 << 16) return undefined;
  return tried(() => {
    const data = read(elf.bias + segment.address, segment.memorySize - (segment.memorySize % 16));
    const words = nativeWords();
    const tags = new Map<number, number>();
    const needed: number[] = [];
    for (let at = 0; at < data.length; at += 16) {
      const tag = words.size(data, at);
      if (tag === DT.NULL) break;
      if (tag === DT.NEEDED && needed.length < MAX_NEEDED) needed.push(words.size(data, at + 8));
      if (!tags.has(tag)) tags.set(tag, words.size(data, at + 8));
    }
    return new Dynamic({ elf, tags, needed }, read, { file, known });
  });
}

interface DynamicSection {
  readonly elf: MappedElf;
  /** By DT_*, the first of each. */
  readonly tags: ReadonlyMap<number, number>;
  /** Offsets of the strings. */
  readonly needed: readonly number[];
}

class Dynamic implements DynamicObject {
  readonly #elf: MappedElf;
  readonly #tags: ReadonlyMap<number, number>;
  readonly #needed: readonly number[];
  readonly #read: ReadMemory;
  readonly #strings: Buffer;
  #symbols: Buffer | undefined;
  readonly #file: string;
  readonly #known: KnownSymbols;
  #slots: Slot[] | undefined;
  #byValue: Map<number, DynamicSymbol[]> | undefined;

  constructor(
    { elf, tags, needed }: DynamicSection,
    read: ReadMemory,
    { file, known }: { readonly file: string; readonly known: KnownSymbols },
  ) {
    this.#needed = needed;
    this.#file = file;
    this.#known = known;
    this.#elf = elf;
    this.#tags = tags;
    this.#read = read;
    this.#strings = this.#table(DT.STRTAB, tags.get(DT.STRSZ) ?? 0) ?? Buffer.alloc(0);
  }

  get soname(): string | undefined {
    const at = this.#tags.get(DT.SONAME);
    return at === undefined ? undefined : this.#string(at);
  }

  get needed(): readonly string[] {
    return this.#needed.map((at) => this.#string(at));
  }

  get isSymbolic(): boolean {
    return this.#tags.has(DT.SYMBOLIC) || ((this.#tags.get(DT.FLAGS) ?? 0) & DF_SYMBOLIC) !== 0;
  }

  get debug(): number {
    return this.#tags.get(DT.DEBUG) ?? 0;
  }

  get slots(): readonly Slot[] {
    this.#slots ??= [
      ...this.#slotsIn(DT.JMPREL, this.#tags.get(DT.PLTRELSZ) ?? 0),
      ...this.#slotsIn(DT.RELA, this.#tags.get(DT.RELASZ) ?? 0),
    ];
    return this.#slots;
  }

  find(name: string): DynamicSymbol | undefined {
    return this.#defined().get(name);
  }

  at(value: number): readonly DynamicSymbol[] {
    if (this.#byValue === undefined) {
      this.#byValue = new Map();
      for (const symbol of this.#defined().values())
        this.#byValue.set(symbol.value, [...(this.#byValue.get(symbol.value) ?? []), symbol]);
    }
    return this.#byValue.get(value) ?? [];
  }

  #defined(): ReadonlyMap<string, DynamicSymbol> {
    let symbols = this.#known.get(this.#file);
    if (symbols === undefined) {
      symbols = tried(() => this.#definitions()) ?? new Map();
      this.#known.set(this.#file, symbols);
    }
    return symbols;
  }

  /** The dynamic linker writes addresses of the process over those of the object; not everywhere. */
  #address(tag: number): number | undefined {
    const value = this.#tags.get(tag);
    if (value === undefined) return undefined;
    return value >= this.#elf.start && value < this.#elf.end ? value : value + this.#elf.bias;
  }

  #table(tag: number, size: number): Buffer | undefined {
    const address = this.#address(tag);
    if (address === undefined || size > MAX_BYTES) return undefined;
    return size === 0 ? Buffer.alloc(0) : tried(() => this.#read(address, size));
  }

  #string(at: number): string {
    const end = this.#strings.indexOf(0, at);
    return this.#strings.toString("latin1", at, end < 0 ? at : end);
  }

  #symbolTable(): Buffer {
    this.#symbols ??= this.#table(DT.SYMTAB, this.#symbolCount() * SYMBOL_SIZE) ?? Buffer.alloc(0);
    return this.#symbols;
  }

  /** The dynamic section does not say; the hash tables do. */
  #symbolCount(): number {
    const hash = this.#address(DT.HASH);
    if (hash !== undefined) return nativeWords().u32(this.#read(hash + 4, 4), 0);
    const gnu = this.#address(DT.GNU_HASH);
    if (gnu === undefined) return 0;
    const header = this.#read(gnu, 16);
    const words = nativeWords();
    const [buckets, first, bloom] = [words.u32(header, 0), words.u32(header, 4), words.u32(header, 8)];
    if (buckets > MAX_BYTES / 4 || bloom > MAX_BYTES / 8) return 0;
    const bucketsAt = gnu + 16 + bloom * 8;
    const table = this.#read(bucketsAt, buckets * 4);
    let last = 0;
    for (let at = 0; at < table.length; at += 4) last = Math.max(last, words.u32(table, at));
    if (last < first) return first;
    const chains = bucketsAt + buckets * 4;
    for (; last < MAX_BYTES / SYMBOL_SIZE; last += 1) {
      if ((words.u32(this.#read(chains + (last - first) * 4, 4), 0) & 1) !== 0) return last + 1;
    }
    return 0;
  }

  #definitions(): Map<string, DynamicSymbol> {
    const symbols = this.#symbolTable();
    const versions = this.#table(DT.VERSYM, (symbols.length / SYMBOL_SIZE) * 2);
    const words = nativeWords();
    const found = new Map<string, DynamicSymbol>();
    for (let index = 1; index * SYMBOL_SIZE < symbols.length; index++) {
      const at = index * SYMBOL_SIZE;
      const binding = (symbols[at + 4] ?? 0) >> 4;
      if (words.u16(symbols, at + 6) === 0 || binding === 0) continue;
      const type = (symbols[at + 4] ?? 0) & 15;
      const visibility = (symbols[at + 5] ?? 0) & 3;
      if (visibility === STV.HIDDEN || visibility === STV.INTERNAL) continue;
      // What no version script lets out is there for the linker's own purposes.
      if (versions !== undefined && (words.u16(versions, index * 2) & VERSION) === 0) continue;
      const name = this.#string(words.u32(symbols, at));
      const isDefault = versions === undefined || (words.u16(versions, index * 2) & 0x8000) === 0;
      if (found.get(name)?.isDefault === true && !isDefault) continue;
      found.set(name, {
        name,
        value: words.size(symbols, at + 8),
        size: words.size(symbols, at + 16),
        type: type === STT_GNU_IFUNC ? "ifunc" : type === STT_TLS ? "thread" : "plain",
        isWeak: binding === 2,
        isDefault,
        isProtected: visibility === STV.PROTECTED,
      });
    }
    return found;
  }

  #slotsIn(tag: number, size: number): Slot[] {
    const table = this.#table(tag, size - (size % RELA_SIZE));
    if (table === undefined) return [];
    const words = nativeWords();
    const { slotKind } = nativeLoad();
    const slots: Slot[] = [];
    for (let at = 0; at < table.length; at += RELA_SIZE) {
      // Symbol and type are the halves of one word.
      const info = words.u64(table, at + 8);
      const kind = slotKind(Number(info & 0xffff_ffffn));
      if (kind === undefined) continue;
      const symbol = Number(info >> 32n);
      slots.push({
        kind,
        name: symbol === 0 ? "" : this.#symbolName(symbol),
        at: this.#elf.bias + words.size(table, at),
        addend: words.offset(table, at + 16),
      });
    }
    return slots;
  }

  #symbolName(index: number): string {
    const symbols = tried(() => this.#symbolTable()) ?? Buffer.alloc(0);
    const at = index * SYMBOL_SIZE;
    return at + 4 <= symbols.length ? this.#string(nativeWords().u32(symbols, at)) : "?";
  }
}
