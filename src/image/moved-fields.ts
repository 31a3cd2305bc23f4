/**
 * The table by which the boot code of x86 moves a kernel to its random address: it lies
 * behind the ELF file in the payload of a bzImage. Source of the format: handle_relocations
 * in the kernel's arch/x86/boot/compressed/misc.c.
 *
 * Signed words of 32 bits, the addresses of fields, in lists that begin with a zero each:
 * fields of 64 bits, fields of 32 bits that move against the kernel (kernels before 6.15),
 * fields of 32 bits.
 */
import type { Words } from "../elf/words.ts";

/** A field whose value depends on where the kernel lies. */
export interface MovedField {
  /** Its address as the kernel is linked, a signed number. */
  readonly at: number;
  /** Bytes. */
  readonly size: 4 | 8;
  /** Whether the distance by which the kernel is moved is added to it, or taken from it. */
  readonly moves: "with" | "against";
}

const WORD = 4;
type Kind = Omit<MovedField, "at">;
const WITH_8: Kind = { size: 8, moves: "with" };
const AGAINST_4: Kind = { size: 4, moves: "against" };
const WITH_4: Kind = { size: 4, moves: "with" };

/** @param tail what lies behind the ELF file; undefined where that is no such table */
export function movedFields(tail: Buffer, words: Words): MovedField[] | undefined {
  if (tail.length < WORD || tail.length % WORD !== 0 || words.i32(tail, 0) !== 0) return undefined;
  const starts: number[] = [];
  for (let i = 0; i < tail.length; i += WORD) if (words.i32(tail, i) === 0) starts.push(i);
  const kinds = starts.length === 3 ? [WITH_8, AGAINST_4, WITH_4] : [WITH_8, WITH_4];
  if (starts.length !== kinds.length) return undefined;
  const fields: MovedField[] = [];
  for (const [list, kind] of kinds.entries()) {
    const end = starts[list + 1] ?? tail.length;
    for (let i = (starts[list] as number) + WORD; i < end; i += WORD) fields.push({ at: words.i32(tail, i), ...kind });
  }
  return fields;
}
