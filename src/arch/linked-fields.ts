/** What a linker makes of the fields of one machine's objects in programs and libraries. */
import type { ElfSymbol } from "../elf/model.ts";

/** A relocated field; the addend is the relocation's. */
export interface PlainReference {
  /** Of the field, in its section. */
  readonly offset: number;
  readonly type: number;
  readonly symbol: ElfSymbol;
  readonly addend: number;
}

/** A function by its symbol; bytes from its section's start. */
/** What a word that the dynamic linker fills in leads to. Addresses are those of the object's own address space. */
export type SlotTarget =
  | { readonly kind: "place"; readonly at: number }
  /** What the process finds under this name, in this object or another. */
  | { readonly kind: "name"; readonly name: string; readonly offset: number }
  /** Chosen when the object is loaded (ifunc). */
  | { readonly kind: "chosen"; readonly resolver: number }
  /** Offset in the object's thread-local storage, or a name in another's. */
  | { readonly kind: "thread"; readonly offset: number; readonly name: string };

/** What the linked field says of the symbol that the object's relocation names. */
export type FieldValue =
  /** The symbol's address, the addend taken off; or its offset in thread-local storage. */
  | { readonly kind: "place"; readonly at: number }
  | { readonly kind: "thread"; readonly offset: number }
  /** By a word that the dynamic linker fills in. */
  | { readonly kind: "slot"; readonly target: SlotTarget }
  /** It says nothing of its symbol. */
  | { readonly kind: "nothing" }
  /** It cannot be what the linker made of this field. */
  | { readonly kind: "wrong" };

/** A linked file, as far as fields lead there. Addresses are of its own address space. */
export interface LinkedFile {
  /** Bytes of its thread-local storage up to the thread pointer, for the object that is an executable. */
  readonly threadSize: number;
  /** `undefined` where the file has no bytes for all of it. */
  bytes(at: number, length: number): Buffer | undefined;
  /** What the word at this address will hold. */
  slot(at: number): SlotTarget | undefined;
}

/**
 * What a relocation of a linked file is for. `own`: an address of the file itself;
 * `name`: that of a symbol, without an addend; `pointer`: with one; `thread`: an offset in
 * thread-local storage; `module`: the number of a module; `chosen`: what an indirect function chooses.
 */
export type DynamicKind = "own" | "name" | "pointer" | "thread" | "module" | "chosen";

/** Of one machine. */
export interface LinkedFields {
  /** The bytes around a field, half-open and in its section, that the linker may write: the field, and what it makes of the instruction. */
  written(reference: PlainReference): [from: number, to: number] | undefined;
  /** What a field of shipped code refers to, whatever the linker made of the instruction. @param at address of the field @param own the original's bytes of the section */
  readField(reference: PlainReference, at: number, own: Buffer, file: LinkedFile): FieldValue;
  /** undefined for a type that no slot is filled in by. */
  dynamicKind(type: number): DynamicKind | undefined;
  /** Of a stub of the procedure linkage table: where its slot lies; undefined where the code is none. @param at address of the code, of 8 bytes or more */
  stubSlot(code: Buffer, at: number): number | undefined;
  /** Whether bytes are there to fill up, and never run. The instruction that the count cuts has to be filler as a whole. */
  isPadding(bytes: Uint8Array, count: number): boolean;
}
