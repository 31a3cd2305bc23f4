/** An executable or a library as it is shipped, stripped or not: its code, what its slots will hold, and where its functions start. */

import type { Arch } from "../../../arch/arch.ts";
import type { LinkedFields, LinkedFile, SlotTarget } from "../../../arch/linked-fields.ts";
import { archOf, linkedFieldsOf } from "../../../arch/registry.ts";
import type { Section } from "../../../dwarf/cursor.ts";
import { allFdes } from "../../../dwarf/entries.ts";
import { readSearchTable } from "../../../dwarf/search-table.ts";
import { ET, PT, SHT, STT } from "../../../elf/constants.ts";
import type { ElfFile, ElfSymbol } from "../../../elf/model.ts";
import { buildIdOf } from "../../../elf/notes.ts";
import { relocationsOf } from "../../../elf/relocations.ts";
import { wordsOf } from "../../../elf/words.ts";
import { dynamicStrings } from "./dynamic-strings.ts";

const EXECUTE = 1;

/** A symbol at its address. */
export interface NamedPlace {
  readonly name: string;
  readonly at: number;
  readonly size: number;
  /** STT_* */
  readonly type: number;
  readonly isGlobal: boolean;
}

/** Addresses are the object's own. What a stripped file does not tell is told by its call-frame information. */
export class ShippedProgram implements LinkedFile {
  /** Base name of the executable, or the library's soname. */
  readonly object: string;
  readonly path: string;
  readonly buildId: string;
  readonly file: ElfFile;
  readonly arch: Arch;
  readonly #linked: LinkedFields;
  /** Bytes of its thread-local storage up to the thread pointer, for the object that is an executable. */
  readonly threadSize: number;
  readonly #segments: readonly { from: number; to: number; data: Buffer; isCode: boolean }[];
  readonly #slots = new Map<number, SlotTarget>();
  readonly #byName = new Map<string, NamedPlace[]>();
  readonly #starts: readonly { start: number; end: number }[];
  readonly #byLength = new Map<number, number[]>();
  #stubs: Map<string, number> | undefined;

  /** @param path as shipped */
  constructor(file: ElfFile, path: string, name: string) {
    this.file = file;
    this.arch = archOf(file);
    this.#linked = linkedFieldsOf(this.arch);
    this.path = path;
    this.object = dynamicStrings(file).soname ?? name;
    this.buildId = buildIdOf(file) ?? "";
    this.#segments = file.programHeaders
      .filter(({ type }) => type === PT.LOAD)
      .map(({ virtualAddress, offset, fileSize, flags }) => ({
        from: Number(virtualAddress),
        to: Number(virtualAddress) + fileSize,
        data: file.data.subarray(offset, offset + fileSize),
        isCode: (flags & EXECUTE) !== 0,
      }));
    const thread = file.programHeaders.find(({ type }) => type === PT.TLS);
    const alignment = Math.max(1, Number(thread?.alignment ?? 1n));
    this.threadSize = Math.ceil(Number(thread?.memorySize ?? 0n) / alignment) * alignment;
    this.#readNames();
    this.#readSlots();
    this.#starts = framesOf(file);
    for (const { start, end } of this.#starts) {
      const list = this.#byLength.get(end - start);
      if (list === undefined) this.#byLength.set(end - start, [start]);
      else list.push(start);
    }
  }

  /** Where its ELF header lies when it is loaded; undefined where that is not. */
  get start(): number | undefined {
    return this.#segments.find(({ data }) => data.length > 0 && data.byteOffset === this.file.data.byteOffset)?.from;
  }

  /** `undefined` where the file has no bytes for all of it. */
  bytes(at: number, length: number): Buffer | undefined {
    const segment = this.#segments.find(({ from, to }) => at >= from && at + length <= to);
    return segment?.data.subarray(at - segment.from, at - segment.from + length);
  }

  isCode(at: number): boolean {
    return this.#segments.some(({ from, to, isCode }) => isCode && at >= from && at < to);
  }

  /** Whether a function starts here, as the call-frame information has it; an object without any does not say. */
  isStart(at: number): boolean {
    return this.#starts.length === 0 || this.#starts.some(({ start }) => start === at);
  }

  /** Where functions of this length start, as the call-frame information has them. */
  startsOf(length: number): readonly number[] {
    return this.#byLength.get(length) ?? [];
  }

  /** Every place where `bytes` stand in code. */
  *occurrences(bytes: Buffer): Generator<number> {
    for (const { from, data, isCode } of this.#segments) {
      if (!isCode) continue;
      for (let at = data.indexOf(bytes); at >= 0; at = data.indexOf(bytes, at + 1)) yield from + at;
    }
  }

  /** Where the next thing starts, from `at` on, that the call-frame information, a symbol or a section tells of; else the segment's end. */
  nextKnown(at: number): number {
    const segment = this.#segments.find(({ from, to }) => at > from && at <= to);
    return Math.min(segment?.to ?? at, firstFrom(this.#known(), at) ?? Number.POSITIVE_INFINITY);
  }

  #known(): readonly number[] {
    this.#knownStarts ??= [
      ...this.#starts.map(({ start }) => start),
      ...[...this.#byName.values()].flatMap((places) => places.map(({ at }) => at)),
      ...this.file.sections.map(({ address }) => Number(address)),
    ].sort((a, b) => a - b);
    return this.#knownStarts;
  }
  #knownStarts: readonly number[] | undefined;

  /** What the word at this address will hold. */
  slot(at: number): SlotTarget | undefined {
    const known = this.#slots.get(at);
    if (known !== undefined) return known;
    const word = this.bytes(at, 8);
    return word === undefined ? undefined : { kind: "place", at: this.arch.elf.words.offset(word, 0) };
  }

  /** Where a stub of the procedure linkage table leads that starts here; undefined where there is no stub. */
  stub(at: number): SlotTarget | undefined {
    if (!this.isCode(at)) return undefined;
    const code = this.bytes(at, 16) ?? this.bytes(at, 8);
    if (code === undefined) return undefined;
    const slot = this.#linked.stubSlot(code, at);
    return slot === undefined ? undefined : this.#slots.get(slot);
  }

  /** Whether it may lie anywhere: a library, or an executable that is position-independent. */
  get isMovable(): boolean {
    return this.file.header.type === ET.DYN;
  }

  /** The stub that calls an import goes through. */
  stubOf(name: string): number | undefined {
    this.#stubs ??= this.#findStubs();
    return this.#stubs.get(name);
  }

  /** Whether the object has a slot for something of this name that another object defines. */
  imports(name: string): boolean {
    this.#imported ??= new Set([...this.#slots.values()].flatMap((it) => (it.kind === "name" ? [it.name] : [])));
    return this.#imported.has(name);
  }
  #imported: Set<string> | undefined;

  #findStubs(): Map<string, number> {
    const stubs = new Map<string, number>();
    for (const { name, address, size, type } of this.file.sections) {
      if (type !== SHT.PROGBITS || !/^\.plt(\.sec|\.got|\.bnd)?$/.test(name)) continue;
      for (let at = Number(address); at + 8 <= Number(address) + size; at += 8) {
        const target = this.stub(at);
        if (target?.kind === "name" && target.offset === 0 && !stubs.has(target.name)) stubs.set(target.name, at);
      }
    }
    return stubs;
  }

  /** Whether its names are told, beyond those that other objects see. */
  get hasNames(): boolean {
    return this.file.symbols.some(({ type }) => type === STT.FUNC || type === STT.OBJECT);
  }

  /** What the symbol tables have under this name, if anything. */
  places(name: string): readonly NamedPlace[] {
    return this.#byName.get(name) ?? [];
  }

  #readNames(): void {
    for (const table of [this.file.dynamicSymbols, this.file.symbols])
      for (const symbol of table) this.#readName(symbol);
  }

  #readName({ name, value, size, type, binding, place }: ElfSymbol): void {
    if (name === "" || type === STT.SECTION || type === STT.FILE) return;
    // Of an executable that is not position-independent, the address that stands for an import.
    if (place.kind === "undefined" && value === 0n) return;
    const at = Number(value);
    const list = this.#byName.get(name) ?? [];
    if (!list.some((each) => each.at === at))
      list.push({ name, at, size: Number(size), type, isGlobal: binding !== 0 });
    this.#byName.set(name, list);
  }

  #readSlots(): void {
    for (const section of this.file.sections) {
      if (section.type !== SHT.RELA || (section.flags & 2) === 0) continue;
      for (const { offset, type, symbol, addend } of relocationsOf(this.file, section)) {
        const named = this.file.dynamicSymbols[symbol];
        const target = this.#slotTarget(type, named, Number(addend));
        if (target !== undefined) this.#slots.set(offset, target);
      }
    }
  }

  #slotTarget(type: number, symbol: ElfSymbol | undefined, addend: number): SlotTarget | undefined {
    switch (this.#linked.dynamicKind(type)) {
      case "own":
        return { kind: "place", at: addend };
      case "chosen":
        return { kind: "chosen", resolver: addend };
      case "name":
        return { kind: "name", name: symbol?.name ?? "", offset: 0 };
      case "pointer":
        return { kind: "name", name: symbol?.name ?? "", offset: addend };
      case "thread": {
        const isOwn = symbol === undefined || symbol.name === "" || symbol.place.kind !== "undefined";
        const offset = Number(symbol?.value ?? 0n) + addend;
        return { kind: "thread", offset, name: isOwn ? "" : symbol.name };
      }
      case "module":
        return { kind: "thread", offset: Number(symbol?.value ?? 0n), name: symbol?.name ?? "" };
      case undefined:
        return undefined;
    }
  }
}

/** The first of sorted numbers that is not less. */
function firstFrom(sorted: readonly number[], least: number): number | undefined {
  let low = 0;
  for (let high = sorted.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < least) low = middle + 1;
    else high = middle;
  }
  return sorted[low];
}

/** Code that the call-frame information describes, by address. */
function framesOf(file: ElfFile): { start: number; end: number }[] {
  const section = frameSection(file);
  if (section === undefined) return [];
  return [...allFdes(section, new Map(), {})]
    .map(({ start, end }) => ({ start, end }))
    .sort((a, b) => a.start - b.start);
}

function frameSection(file: ElfFile): Section | undefined {
  const words = wordsOf(file.header.endian);
  const named = file.sections.find(({ name, size }) => name === ".eh_frame" && size > 0);
  if (named !== undefined) return { name: named.name, data: named.data, words, address: Number(named.address) };
  const header = file.programHeaders.find(({ type }) => type === PT.GNU_EH_FRAME);
  if (header === undefined) return undefined;
  const at = Number(header.virtualAddress);
  const data = file.data.subarray(header.offset, header.offset + header.fileSize);
  const { ehFrame } = readSearchTable({ name: ".eh_frame_hdr", data, words, address: at });
  const segment = file.programHeaders.find(
    ({ type, virtualAddress, fileSize }) =>
      type === PT.LOAD && ehFrame >= Number(virtualAddress) && ehFrame < Number(virtualAddress) + fileSize,
  );
  if (segment === undefined) return undefined;
  const from = segment.offset + ehFrame - Number(segment.virtualAddress);
  const bytes = file.data.subarray(from, segment.offset + segment.fileSize);
  return { name: ".eh_frame", data: bytes, words, address: ehFrame };
}
