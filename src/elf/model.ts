/** The ELF64 model: what a file holds, independent of its byte order. */

export type SectionIndex = number & { readonly __brand: "SectionIndex" };
export type SymbolIndex = number & { readonly __brand: "SymbolIndex" };
export type Address = bigint & { readonly __brand: "Address" };

export interface ElfHeader {
  readonly endian: "little" | "big";
  readonly osAbi: number;
  readonly abiVersion: number;
  /** ET_* */
  readonly type: number;
  /** EM_* */
  readonly machine: number;
  readonly entry: Address;
  /** e_flags */
  readonly flags: number;
}

export interface ProgramHeader {
  /** PT_* */
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly virtualAddress: Address;
  readonly physicalAddress: Address;
  readonly fileSize: number;
  readonly memorySize: bigint;
  readonly alignment: bigint;
}

export interface ElfSection {
  readonly index: SectionIndex;
  readonly name: string;
  /** SHT_* */
  readonly type: number;
  /** SHF_*, as a number: no flag in use is above 2^32. */
  readonly flags: number;
  readonly address: Address;
  /** In the file, bytes. */
  readonly offset: number;
  /** In memory, bytes; equals data.length except for SHT_NOBITS. */
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly alignment: number;
  readonly entrySize: number;
  /** A view of the file's bytes, compressed if the section is; empty for SHT_NOBITS. */
  readonly data: Buffer;
}

/** Where a symbol is defined: a section (extended indexes resolved), or one of the special places. */
export type SymbolPlace =
  | { readonly kind: "section"; readonly section: SectionIndex }
  | { readonly kind: "undefined" }
  | { readonly kind: "absolute" }
  | { readonly kind: "common" }
  /** Any other reserved index, for instance SHN_LIVEPATCH (0xff20). */
  | { readonly kind: "reserved"; readonly value: number };

export interface ElfSymbol {
  readonly index: SymbolIndex;
  readonly name: string;
  readonly value: bigint;
  readonly size: bigint;
  /** STT_* */
  readonly type: number;
  /** STB_* */
  readonly binding: number;
  /** STV_* */
  readonly visibility: number;
  /** The rest of st_other, st_other >> 2: the machine's, for instance the local entry point of PPC64. */
  readonly other?: number | undefined;
  readonly place: SymbolPlace;
}

export interface Relocation {
  /** Within the section it applies to (relocatable files), bytes. */
  readonly offset: number;
  /** R_*, the machine's numbering. */
  readonly type: number;
  readonly symbol: SymbolIndex;
  readonly addend: bigint;
}

export interface ElfFile {
  /** For messages: the path it was read from. */
  readonly name: string;
  /** The whole file. */
  readonly data: Buffer;
  readonly header: ElfHeader;
  readonly programHeaders: readonly ProgramHeader[];
  /** Section 0 is the null section, as in the file. */
  readonly sections: readonly ElfSection[];
  /** .symtab, entry 0 the null symbol; empty where the file has none. */
  readonly symbols: readonly ElfSymbol[];
  /** .dynsym, the same way. */
  readonly dynamicSymbols: readonly ElfSymbol[];
}
