/** An object file as the linker gets it: sections, the functions in them, and relocations with their symbols. */
import { R_X86_64, relocationSize } from "../../../arch/x86_64/relocations.ts";
import { SHF, SHT, STT } from "../../../elf/constants.ts";
import type { ElfFile, ElfSection, ElfSymbol } from "../../../elf/model.ts";
import { relocationSections, relocationsOf } from "../../../elf/relocations.ts";

/** A relocated field; the addend is the relocation's. */
export interface PlainReference {
  /** Of the field, in its section. */
  readonly offset: number;
  readonly type: number;
  readonly symbol: ElfSymbol;
  readonly addend: number;
}

/** A function by its symbol; bytes from its section's start. */
export interface PlainFunction {
  readonly symbol: ElfSymbol;
  readonly section: ElfSection;
  readonly start: number;
  readonly size: number;
}

/** Nothing is interpreted beyond the gABI: no atoms and no roles. */
export class PlainObject {
  readonly file: ElfFile;
  readonly functions: readonly PlainFunction[];
  readonly #references = new Map<number, readonly PlainReference[]>();

  constructor(file: ElfFile) {
    this.file = file;
    for (const [index, tables] of relocationSections(file)) {
      const all = tables.flatMap((table) => relocationsOf(file, table));
      const references = all
        .filter(({ type }) => type !== R_X86_64.NONE)
        .map(({ offset, type, symbol, addend }) => ({
          offset,
          type,
          symbol: file.symbols[symbol] as ElfSymbol,
          addend: Number(addend),
        }))
        .sort((a, b) => a.offset - b.offset);
      this.#references.set(index, references);
    }
    this.functions = file.symbols.flatMap((symbol) => {
      const section = sectionOf(file, symbol);
      const isFunction = symbol.type === STT.FUNC || symbol.type === STT.GNU_IFUNC;
      if (!isFunction || section === undefined || (section.flags & SHF.EXECINSTR) === 0) return [];
      return [{ symbol, section, start: Number(symbol.value), size: Number(symbol.size) }];
    });
  }

  /** What the object defines under a name; undefined where several local symbols have it. */
  symbol(name: string): ElfSymbol | undefined {
    this.#symbols ??= byName(this.file);
    return this.#symbols.get(name);
  }
  #symbols: ReadonlyMap<string, ElfSymbol | undefined> | undefined;

  references(section: ElfSection): readonly PlainReference[] {
    return this.#references.get(section.index) ?? [];
  }

  sectionOf(symbol: ElfSymbol): ElfSection | undefined {
    return sectionOf(this.file, symbol);
  }
}

function byName(file: ElfFile): Map<string, ElfSymbol | undefined> {
  const symbols = new Map<string, ElfSymbol | undefined>();
  for (const symbol of file.symbols) {
    if (symbol.name === "" || symbol.place.kind !== "section" || symbol.type === STT.SECTION) continue;
    symbols.set(symbol.name, symbols.has(symbol.name) ? undefined : symbol);
  }
  return symbols;
}

function sectionOf(file: ElfFile, { place }: ElfSymbol): ElfSection | undefined {
  return place.kind === "section" ? file.sections[place.section] : undefined;
}

/** Whether the linker may fold equal entries of the section, so that it has no one place. */
export function isFolded({ flags }: ElfSection): boolean {
  return (flags & SHF.MERGE) !== 0;
}

/** Whether each thread has what lies there for itself. */
export function isThreadLocal({ flags }: ElfSection): boolean {
  return (flags & SHF.TLS) !== 0;
}

/** Whether it has contents in the file; what has none is zero at first. */
export function hasBytes({ type }: ElfSection): boolean {
  return type !== SHT.NOBITS;
}

/** The bytes around a field, half-open and in its section, that the linker may write: the field, and what it makes of the instruction. */
export function written({ type, offset }: PlainReference): [from: number, to: number] | undefined {
  switch (type) {
    case R_X86_64.GOTPCRELX:
      return [offset - 2, offset + 4];
    case R_X86_64.REX_GOTPCRELX:
    case R_X86_64.GOTTPOFF:
      return [offset - 3, offset + 4];
    case R_X86_64.TLSGD:
      return [offset - 4, offset + 12];
    case R_X86_64.TLSLD:
      return [offset - 3, offset + 10];
    default: {
      const size = relocationSize(type);
      return size === undefined ? undefined : [offset, offset + size];
    }
  }
}
