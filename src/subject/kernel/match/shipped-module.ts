import type { Arch } from "../../../arch/arch.ts";
import { archOf } from "../../../arch/registry.ts";
import type { RewrittenTable } from "../../../arch/rewritten-table.ts";
import { readBtf } from "../../../btf/read.ts";
import type { Btf } from "../../../btf/types.ts";
import { SHF, SHT, STB } from "../../../elf/constants.ts";
import type { ElfFile, ElfSection, ElfSymbol, Relocation } from "../../../elf/model.ts";
import { buildIdOf } from "../../../elf/notes.ts";
import { relocationSections, relocationsOf } from "../../../elf/relocations.ts";
import type { BoundCodeField } from "../../../patch/metadata.ts";
import type { RunningObject, Span } from "./running-code.ts";
import type { Shipped, ShippedSymbol, ShippedTarget } from "./shipped.ts";

const SECTION = 2 ** 32;

/** A stock module as it lies on disk: relocatable, with its symbol table. */
export class ShippedModule implements Shipped, RunningObject {
  readonly arch: Arch;
  readonly object: string;
  readonly buildId: string;
  readonly #file: ElfFile;
  readonly #globals = new Set<string>();
  readonly #placesByName = new Map<string, number[]>();
  readonly #symbolsByPlace = new Map<number, ShippedSymbol[]>();
  readonly #relocationSections: Map<number, ElfSection[]>;
  #sealed: Set<number> | undefined;
  readonly #relocations = new Map<number, Map<number, Relocation>>();

  constructor(object: string, file: ElfFile) {
    this.arch = archOf(file);
    this.object = object;
    this.buildId = buildIdOf(file) ?? "";
    this.#file = file;
    this.#relocationSections = relocationSections(file);
    this.#indexSymbols();
  }

  /** In the order of .symtab, which is the order that the kernel's module kallsyms keep. */
  #indexSymbols(): void {
    const counts = new Map<string, number>();
    const isNamed = (symbol: ElfSymbol) => symbol.place.kind === "section" && symbol.name !== "" && symbol.type !== 3;
    for (const symbol of this.#file.symbols)
      if (isNamed(symbol)) counts.set(symbol.name, (counts.get(symbol.name) ?? 0) + 1);
    const seen = new Map<string, number>();
    for (const symbol of this.#file.symbols) {
      if (!isNamed(symbol) || symbol.place.kind !== "section") continue;
      if (symbol.binding !== STB.LOCAL) this.#globals.add(symbol.name);
      const position = (seen.get(symbol.name) ?? 0) + 1;
      seen.set(symbol.name, position);
      const at = symbol.place.section * SECTION + Number(symbol.value);
      push(this.#placesByName, symbol.name, at);
      push(this.#symbolsByPlace, at, { name: symbol.name, position, count: counts.get(symbol.name) ?? 1 });
    }
  }

  bytes(at: number, length: number): Buffer | undefined {
    const section = this.#sectionAt(at);
    const offset = at % SECTION;
    if (section === undefined || section.type === SHT.NOBITS || offset + length > section.data.length) return undefined;
    return section.data.subarray(offset, offset + length);
  }

  /** Each section lies where it is loaded. */
  readonly start = undefined;

  extentOf(at: number): number {
    const section = this.#sectionAt(at);
    if (section === undefined) return 0;
    const end = section.index * SECTION + section.data.length;
    const starts = [...this.#symbolsByPlace.keys()].filter((start) => start > at && start < end);
    return Math.min(end, ...starts) - at;
  }

  *entriesOf(
    table: RewrittenTable,
    size: number,
    span: Span,
  ): Generator<{ readonly at: number; readonly entry: Buffer }> {
    const { section: name, isPrefix } = table;
    for (const section of this.#file.sections) {
      if (isPrefix === true ? !section.name.startsWith(name) : section.name !== name) continue;
      const relocations = this.#relocationsOf(section);
      for (let i = 0; i + size <= section.data.length; i += size) {
        const relocation = relocations.get(i);
        const symbol = relocation && this.#file.symbols[relocation.symbol];
        if (relocation === undefined || symbol?.place.kind !== "section") continue;
        const at = symbol.place.section * SECTION + Number(symbol.value + relocation.addend);
        if (at >= span.from && at < span.to) yield { at, entry: section.data.subarray(i, i + size) };
      }
    }
  }

  fieldsIn(from: number, to: number): BoundCodeField[] | undefined {
    const section = this.#sectionAt(from);
    if (section === undefined) return undefined;
    const fields: BoundCodeField[] = [];
    const { isPcRelative, relocationSize } = this.arch.elf;
    for (const { offset, type, symbol: index, addend } of this.#relocationsOf(section).values()) {
      const at = section.index * SECTION + offset;
      const size = relocationSize(type);
      if (at >= to || at + (size ?? 8) <= from) continue;
      const symbol = this.#file.symbols[index];
      if ((size !== 4 && size !== 8) || symbol === undefined) return undefined;
      const field = { at, size, isRelative: isPcRelative(type) } as const;
      fields.push({ ...field, ...this.#named(symbol, Number(addend)) });
    }
    return fields;
  }

  #named(symbol: ElfSymbol, addend: number): Pick<BoundCodeField, "section" | "symbol" | "addend"> {
    if (symbol.place.kind !== "section") return { symbol: symbol.name, addend };
    const section = this.#file.sections[symbol.place.section]?.name;
    return { section, addend: addend + Number(symbol.value) };
  }

  places(name: string): readonly number[] {
    return this.#placesByName.get(name) ?? [];
  }

  hasGlobal(name: string): boolean {
    return this.#globals.has(name);
  }

  symbolsAt(at: number): readonly ShippedSymbol[] {
    return this.#symbolsByPlace.get(at) ?? [];
  }

  isSealed(at: number): boolean {
    this.#sealed ??= this.#readSeals();
    return this.#sealed.has(at);
  }

  isFreed(at: number): boolean {
    return this.#sectionAt(at)?.name.startsWith(".init") === true;
  }

  #readSeals(): Set<number> {
    const section = this.#file.sections.find(({ name }) => name === ".ibt_endbr_seal");
    const sealed = new Set<number>();
    if (section === undefined) return sealed;
    for (const { symbol, addend } of this.#relocationsOf(section).values()) {
      const target = this.#file.symbols[symbol];
      if (target?.place.kind === "section") sealed.add(target.place.section * SECTION + Number(target.value + addend));
    }
    return sealed;
  }

  target(at: number, type: number, adjust: number): ShippedTarget | undefined {
    const { isPcRelative, relocationSize, fieldValue } = this.arch.elf;
    const section = this.#sectionAt(at);
    if (section === undefined) return undefined;
    const relocation = this.#relocationsOf(section).get(at % SECTION);
    if (relocation === undefined) {
      // A branch inside a section, which the assembler resolved.
      const field = isPcRelative(type) ? this.bytes(at, relocationSize(type) ?? 0) : undefined;
      return field === undefined ? undefined : { kind: "place", at: at + adjust + fieldValue(type, field) };
    }
    const symbol = this.#file.symbols[relocation.symbol];
    const offset = Number(relocation.addend) + adjust;
    if (symbol === undefined || (relocation.type !== type && !(isPcRelative(relocation.type) && isPcRelative(type))))
      return undefined;
    if (symbol.place.kind === "section")
      return { kind: "place", at: symbol.place.section * SECTION + Number(symbol.value) + offset };
    return { kind: "external", name: symbol.name, offset };
  }

  types(vmlinux: Btf | undefined): Btf | undefined {
    const section = this.#file.sections.find(({ name }) => name === ".BTF");
    if (section === undefined || vmlinux === undefined) return undefined;
    return readBtf(section.data, `${this.object}: .BTF`, vmlinux);
  }

  #sectionAt(at: number): ElfSection | undefined {
    const section = this.#file.sections[Math.floor(at / SECTION)];
    return section !== undefined && (section.flags & SHF.ALLOC) !== 0 ? section : undefined;
  }

  #relocationsOf(section: ElfSection): Map<number, Relocation> {
    let byOffset = this.#relocations.get(section.index);
    if (byOffset === undefined) {
      const tables = this.#relocationSections.get(section.index) ?? [];
      byOffset = new Map(tables.flatMap((table) => relocationsOf(this.#file, table)).map((it) => [it.offset, it]));
      this.#relocations.set(section.index, byOffset);
    }
    return byOffset;
  }
}

function push<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
