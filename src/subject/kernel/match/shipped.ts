/**
 * The code that was shipped, seen as the matcher needs it. A place is a number:
 * in vmlinux the address, as a signed 64-bit value; in a module, whose sections
 * have no addresses yet, the section's number times 2^32 plus the offset.
 */

import type { Arch } from "../../../arch/arch.ts";
import type { Btf } from "../../../btf/types.ts";

/** What a field leads to in the shipped object, in terms of places. */
export type ShippedTarget =
  | { readonly kind: "place"; readonly at: number }
  /** A symbol of another object. */
  | { readonly kind: "external"; readonly name: string; readonly offset: number };

/**
 * A symbol of the shipped object; `position` is the `sympos` of the kernel's livepatch
 * core where `count` is more than 1.
 */
export interface ShippedSymbol {
  /** As the running kernel's kallsyms has it. */
  readonly name: string;
  /** Position among the object's symbols of this name, from 1, in kallsyms order. */
  readonly position: number;
  /** How many of the object's symbols have this name. */
  readonly count: number;
}

/** One shipped object. Opened once; everything is read when it is asked for. */
export interface Shipped {
  readonly arch: Arch;
  /** `vmlinux`, or the module's name. */
  readonly object: string;
  /** GNU build-id, hexadecimal. */
  readonly buildId: string;
  /** The bytes as they lie in the file; `undefined` where the place is in no section that has any. */
  bytes(at: number, length: number): Buffer | undefined;
  /** Every place of a symbol of this name. */
  places(name: string): readonly number[];
  /** Whether it has a symbol of this name that other files see. */
  hasGlobal(name: string): boolean;
  /** The symbols at exactly this place. */
  symbolsAt(at: number): readonly ShippedSymbol[];
  /**
   * Whether the kernel takes the landing pad (endbr64) of a function at this
   * place away at boot, since nothing that ships calls it through a pointer.
   */
  isSealed(at: number): boolean;
  /** Whether what lies there is given back once the kernel, or the module, is up. */
  isFreed(at: number): boolean;
  /**
   * What the relocated field at `at` refers to.
   * @param adjust see `Reference` in src/diff/unit.ts
   */
  target(at: number, type: number, adjust: number): ShippedTarget | undefined;
  /**
   * Its types, a module's with those of the vmlinux that they continue; undefined
   * where it has none. Throws `BTF_CORRUPT`.
   */
  types(vmlinux: Btf | undefined): Btf | undefined;
}
