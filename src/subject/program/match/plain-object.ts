/** An object file as the linker gets it: sections, the functions in them, and relocations with their symbols. */
import type { Arch } from "../../../arch/arch.ts";
import type { PlainReference } from "../../../arch/linked-fields.ts";
import { archOf } from "../../../arch/registry.ts";
import { SHF, SHT, STT } from "../../../elf/constants.ts";
import type { ElfFile, ElfSection, ElfSymbol } from "../../../elf/model.ts";
import { relocationSections, relocationsOf } from "../../../elf/relocations.ts";

/** A function that the object defines. Offsets are in its section, sizes in bytes. */
export interface PlainFunction {
  readonly symbol: ElfSymbol;
  readonly section: ElfSection;
  readonly start: number;
  readonly size: number;
}

/** Nothing is interpreted beyond the gABI: no atoms and no roles. */
export class PlainObject {
  readonly file: ElfFile;
  readonly arch: Arch;
  readonly functions: readonly PlainFunction[];
  readonly #references = new Map<number, readonly PlainReference[]>();

  constructor(file: ElfFile) {
    this.file = file;
    this.arch = archOf(file);
    const { none } = this.arch.elf.relocations;
    for (const [index, tables] of relocationSections(file)) {
      const all = tables.flatMap((table) => relocationsOf(file, table));
      const references = all
        .filter(({ type }) => type !== none)
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
