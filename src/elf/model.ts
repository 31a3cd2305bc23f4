/** The ELF64 model: what a file holds, independent of its byte order. */

/** Index in `ElfFile.sections`; branded, so that no symbol's number or plain number stands for it. */
export type SectionIndex = number & { readonly __brand: "SectionIndex" };
/** Index in `ElfFile.symbols`, or in `dynamicSymbols`. */
export type SymbolIndex = number & { readonly __brand: "SymbolIndex" };
/** A virtual address of the file's own address space, 64 bits. */
export type Address = bigint & { readonly __brand: "Address" };

/** What the file says of itself and nothing about where its tables lie: the reader has followed that. */
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

/** A segment: `offset` and `fileSize` are bytes of the file, inside of its bounds. */
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

/** A section header with its contents, inside of the file's bounds. */
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

/** A symbol. `value` is an offset in its section in a relocatable file, an address elsewhere. */
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

/** A relocation with an explicit addend, whichever of SHT_RELA and SHT_REL it comes from. */
export interface Relocation {
  /** Within the section it applies to (relocatable files), bytes. */
  readonly offset: number;
  /** R_*, the machine's numbering. */
  readonly type: number;
  readonly symbol: SymbolIndex;
  readonly addend: bigint;
}

/**
 * A file that was read whole and checked. What is in it refers to nothing outside of
 * it; what the numbers mean is not checked.
 */
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
