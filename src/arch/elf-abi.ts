/** Relocations of one machine, by what they are for. A type is a number of the machine's own. */
import type { Words } from "../elf/words.ts";

/** Source of the numbers: the machine's psABI. */
export interface ElfAbi {
  /** EM_* */
  readonly machine: number;
  /** The order of bytes in its files and its memory. */
  readonly words: Words;
  readonly relocations: {
    /** Takes a relocation back. */
    readonly none: number;
    /** The address, 64 bits wide. */
    readonly pointer: number;
    /** The distance from the field, in 32 bits: what tables of the kernel hold. */
    readonly distance: number;
    /** How an instruction names a place relative to itself. */
    readonly operand: number;
  };
  /** Bytes that a relocation fills in; undefined for a type that neither the kernel's module loader nor ours takes. */
  relocationSize(type: number): 2 | 4 | 8 | undefined;
  isPcRelative(type: number): boolean;
  /** Whether it refers to a slot that holds something of the symbol, so that the addend is not part of what is meant. */
  isBySlot(type: number): boolean;
  /** The type that means the same in the kernel, which has no table of its own that a call could go through. */
  inKernel(type: number): number;
  /** Whether the kernel's module loader takes it. */
  isLoadable(type: number): boolean;
  /** As the psABI has it, for a reader; the number where it has none. */
  relocationName(type: number): string;
  /**
   * What a field that a linker has filled in says, bytes: an address, or for a relative type
   * the distance from the field to what it leads to, less what `Reference.adjust` is.
   * @param field of `relocationSize` bytes
   */
  fieldValue(type: number, field: Buffer): number;
  /** Bytes before a field that a linker may write anew together with it, where it knows the place (relaxation). */
  relaxedBefore(type: number): number;
}
