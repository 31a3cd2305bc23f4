/** ELF files as a library: read in bounded time and memory, changed as a draft, written. */
export type { ElfFile, ElfHeader, ElfSection, ElfSymbol, ProgramHeader, Relocation } from "./model.ts";
export { notesOf } from "./notes.ts";
export { readElf } from "./read.ts";
