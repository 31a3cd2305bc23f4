/**
 * One translation unit's object file as a graph of atoms: the pieces of code
 * and data that are compared, and taken along, as a whole.
 */
import type { Arch } from "../arch/arch.ts";
import type { SpecialSection } from "../arch/special-section.ts";
import type { Environment, Role } from "./roles.ts";

/** A section of the object, with what it is for and the atoms it was cut into. */
export interface UnitSection {
  readonly index: number;
  readonly name: string;
  readonly role: Role;
  readonly environment: Environment;
  readonly arch: Arch;
  /** SHT_* */
  readonly type: number;
  /** SHF_* */
  readonly flags: number;
  readonly alignment: number;
  readonly entrySize: number;
  readonly size: number;
  /** Empty for SHT_NOBITS. */
  readonly data: Buffer;
  /** In order of their start; they cover the section. */
  atoms: Atom[];
  table?: SpecialSection;
  /** Of a table. */
  rows?: TableRows;
}

/** The entries of a table, each at a multiple of `size`; undefined for one about code that is linked away. */
export interface TableRows {
  /** Bytes. */
  readonly size: number;
  readonly entries: readonly (TableEntry | undefined)[];
}

/** A symbol of the object; sizes and offsets are bytes. One without a section is undefined, or absolute. */
export interface UnitSymbol {
  readonly name: string;
  /** STT_* */
  readonly type: number;
  /** STB_* */
  readonly binding: number;
  readonly visibility: number;
  readonly section: UnitSection | undefined;
  /** Offset in the section; for an absolute symbol its value. */
  readonly value: number;
  readonly size: number;
  readonly isAbsolute: boolean;
}

/** What a relocation refers to, once the encoding is taken off. */
export type Target =
  | {
      readonly kind: "atom";
      readonly atom: Atom;
      /** From the atom's start. */
      readonly offset: number;
      /** What ends where the atom starts, where the object does not tell whether that end is meant. */
      readonly orEndOf?: Atom | undefined;
    }
  | { readonly kind: "literal"; readonly literal: Literal /** From the literal's start. */; readonly offset: number }
  /** What a table says of a place in code: where code hands it on, as WARN does. */
  | { readonly kind: "entry"; readonly entry: TableEntry /** From the entry's start. */; readonly offset: number }
  | { readonly kind: "external"; readonly name: string; readonly weak: boolean; readonly offset: number }
  | { readonly kind: "absolute"; readonly value: number };

/** What counts of an entry in a mergeable section is what it holds. */
export interface Literal {
  /** Latin-1, which keeps every byte; the terminator included. */
  readonly bytes: string;
  readonly alignment: number;
  /** Bytes of a character, or of the whole constant. */
  readonly width: number;
  readonly isString: boolean;
}

/** A relocated field of an atom: where it lies, and what it leads to. */
export interface Reference {
  /** From the atom's start. */
  readonly offset: number;
  /** R_*, the machine's numbering. */
  readonly type: number;
  readonly target: Target;
  /**
   * What lies between the relocated field and the address that a PC-relative
   * operand counts from (the next instruction, or this one); 0 elsewhere. The
   * relocation's addend is `target.offset - adjust`.
   */
  readonly adjust: number;
}

/** One entry of a special section that belongs to an atom's code. */
export interface TableEntry {
  readonly table: SpecialSection;
  readonly section: UnitSection;
  /** The code that it speaks of, and among its entries of this table the how manieth it is. */
  readonly owner: Atom;
  readonly index: number;
  readonly data: Buffer;
  readonly references: readonly Reference[];
  /** Bytes that are no difference, [from, to). */
  readonly ignored: readonly [number, number];
  /** What stands beside the entry in a table in step with its own (ORC). */
  readonly companion?: Buffer;
}

/** `code` is what nothing enters by a name: pieces that the assembler or a compiler put into a section of code. */
export type AtomKind = "function" | "code" | "data" | "constant";

/**
 * Bytes `start` to `end` of its section, half-open, which are taken along as a whole or
 * not at all. Atoms are told apart by identity.
 */
export interface Atom {
  readonly section: UnitSection;
  readonly start: number;
  readonly end: number;
  readonly kind: AtomKind;
  /** Named symbols defined in it, in order of value. */
  readonly symbols: readonly UnitSymbol[];
  /** The first symbol's name; section and offset for an anonymous one. */
  readonly name: string;
  /** Whether it has no name of its own, so that only its contents tell what it is. */
  readonly anonymous: boolean;
  references: Reference[];
  entries: TableEntry[];
  /** Relocated fields are zero. Empty for SHT_NOBITS. */
  data: Buffer;
  /** Where the field of the call of ftrace lies that the kernel's build has made a NOP already, from the atom's start. */
  emptiedHook?: number;
}

/** Atoms in the order of their sections, then of their starts. Built once, and not changed afterwards. */
export interface Unit {
  readonly name: string;
  readonly arch: Arch;
  readonly sections: readonly UnitSection[];
  readonly symbols: readonly UnitSymbol[];
  readonly atoms: readonly Atom[];
  /** The atom that defines each named symbol; local names that repeat are left to their atoms. */
  readonly definitions: ReadonlyMap<string, Atom>;
}

/** Where a function is entered, in bytes from the atom's start: behind the padding that its `__pfx_` symbol names. */
export function entryOffset(atom: Atom): number {
  const first = atom.symbols.find((symbol) => !symbol.name.startsWith("__pfx_"));
  return first === undefined ? 0 : first.value - atom.start;
}

/** Where in the atom the symbol lies by which the running system knows it. */
export function nameOffset(atom: Atom): number {
  return atom.kind === "function" ? entryOffset(atom) : (atom.symbols[0]?.value ?? atom.start) - atom.start;
}

/** Whether it holds instructions. */
export function isCode({ kind }: Atom): boolean {
  return kind === "function" || kind === "code";
}

/** Whether another unit may refer to it by a name. */
export function isGlobal(atom: Atom): boolean {
  return atom.symbols.some((symbol) => symbol.binding !== 0);
}

/** Whether other files mean this place of the atom by a name. @param offset from the atom's start */
export function isNamed(atom: Atom, name: string, offset: number): boolean {
  return atom.symbols.some(
    (symbol) => symbol.name === name && symbol.binding !== 0 && offset === symbol.value - atom.start,
  );
}
