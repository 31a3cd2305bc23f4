/** Names for the numbers of the ELF format (System V gABI, GNU and Linux extensions). */

/** e_type */
export const ET = { NONE: 0, REL: 1, EXEC: 2, DYN: 3, CORE: 4 } as const;

/** e_machine */
export const EM = {
  NONE: 0,
  I386: 3,
  MIPS: 8,
  PPC: 20,
  PPC64: 21,
  S390: 22,
  ARM: 40,
  SPARCV9: 43,
  X86_64: 62,
  AARCH64: 183,
  RISCV: 243,
  BPF: 247,
  LOONGARCH: 258,
} as const;

/** sh_type */
export const SHT = {
  NULL: 0,
  PROGBITS: 1,
  SYMTAB: 2,
  STRTAB: 3,
  RELA: 4,
  HASH: 5,
  DYNAMIC: 6,
  NOTE: 7,
  NOBITS: 8,
  REL: 9,
  SHLIB: 10,
  DYNSYM: 11,
  INIT_ARRAY: 14,
  FINI_ARRAY: 15,
  PREINIT_ARRAY: 16,
  GROUP: 17,
  SYMTAB_SHNDX: 18,
  RELR: 19,
  LLVM_ADDRSIG: 0x6fff4c03,
  LLVM_CALL_GRAPH_PROFILE: 0x6fff4c09,
  GNU_ATTRIBUTES: 0x6ffffff5,
  GNU_HASH: 0x6ffffff6,
  GNU_VERDEF: 0x6ffffffd,
  GNU_VERNEED: 0x6ffffffe,
  GNU_VERSYM: 0x6fffffff,
  X86_64_UNWIND: 0x70000001,
} as const;

/** sh_flags */
export const SHF = {
  WRITE: 0x1,
  ALLOC: 0x2,
  EXECINSTR: 0x4,
  MERGE: 0x10,
  STRINGS: 0x20,
  INFO_LINK: 0x40,
  LINK_ORDER: 0x80,
  OS_NONCONFORMING: 0x100,
  GROUP: 0x200,
  TLS: 0x400,
  COMPRESSED: 0x800,
  /** Linux, Documentation/livepatch/module-elf-format. */
  RELA_LIVEPATCH: 0x00100000,
  GNU_RETAIN: 0x00200000,
  EXCLUDE: 0x80000000,
} as const;

/** Reserved section indexes in st_shndx, e_shnum and e_shstrndx. */
export const SHN = {
  UNDEF: 0,
  LORESERVE: 0xff00,
  /** Linux, Documentation/livepatch/module-elf-format. */
  LIVEPATCH: 0xff20,
  ABS: 0xfff1,
  COMMON: 0xfff2,
  XINDEX: 0xffff,
} as const;

/** Section index of the symbols `.klp.sym.*`, which the livepatch core binds. */
export const SHN_LIVEPATCH = SHN.LIVEPATCH;

/** Symbol types, st_info & 15 */
export const STT = {
  NOTYPE: 0,
  OBJECT: 1,
  FUNC: 2,
  SECTION: 3,
  FILE: 4,
  COMMON: 5,
  TLS: 6,
  GNU_IFUNC: 10,
} as const;

/** Symbol bindings, st_info >> 4 */
export const STB = { LOCAL: 0, GLOBAL: 1, WEAK: 2, GNU_UNIQUE: 10 } as const;

/** Symbol visibilities, st_other & 3 */
export const STV = { DEFAULT: 0, INTERNAL: 1, HIDDEN: 2, PROTECTED: 3 } as const;

/** p_flags */
export const PF = { X: 1, W: 2, R: 4 } as const;

/** p_type */
export const PT = {
  NULL: 0,
  LOAD: 1,
  DYNAMIC: 2,
  INTERP: 3,
  NOTE: 4,
  SHLIB: 5,
  PHDR: 6,
  TLS: 7,
  GNU_EH_FRAME: 0x6474e550,
  GNU_STACK: 0x6474e551,
  GNU_RELRO: 0x6474e552,
  GNU_PROPERTY: 0x6474e553,
} as const;

/** e_phnum that says: the count is in section 0's sh_info. */
export const PN_XNUM = 0xffff;

/** First word of a SHT_GROUP section. */
export const GRP = { COMDAT: 1 } as const;

/** ch_type of a SHF_COMPRESSED section. */
export const ELFCOMPRESS = { ZLIB: 1, ZSTD: 2 } as const;

/** n_type of notes with the owner `GNU`. */
export const NT_GNU = { ABI_TAG: 1, HWCAP: 2, BUILD_ID: 3, GOLD_VERSION: 4, PROPERTY: 5 } as const;

/** Sizes in bytes of the format's records. */
export const RECORD = {
  HEADER: 64,
  PROGRAM_HEADER: 56,
  SECTION_HEADER: 64,
  SYMBOL: 24,
  RELA: 24,
  REL: 16,
  COMPRESSION_HEADER: 24,
} as const;
