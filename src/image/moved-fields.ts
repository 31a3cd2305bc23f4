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
/** Bytes of the largest field. */
const MOST_FIELD = 8;
type Kind = Omit<MovedField, "at">;
const WITH_8: Kind = { size: 8, moves: "with" };
const AGAINST_4: Kind = { size: 4, moves: "against" };
const WITH_4: Kind = { size: 4, moves: "with" };

/** All such fields of a kernel: hundreds of thousands, of which a reader wants those of a few functions. */
export class MovedFields {
  /** Each with its addresses in order. */
  readonly #lists: readonly { readonly kind: Kind; readonly at: Int32Array }[];

  private constructor(lists: readonly { readonly kind: Kind; readonly at: Int32Array }[]) {
    this.#lists = lists;
  }

  /** @param tail what lies behind the ELF file; undefined where that is no such table */
  static read(tail: Buffer, words: Words): MovedFields | undefined {
    if (tail.length < WORD || tail.length % WORD !== 0) return undefined;
    const all = words.allI32(tail);
    const starts: number[] = [];
    for (let i = all.indexOf(0); i >= 0; i = all.indexOf(0, i + 1)) starts.push(i);
    const kinds = starts.length === 3 ? [WITH_8, AGAINST_4, WITH_4] : [WITH_8, WITH_4];
    if (starts[0] !== 0 || starts.length !== kinds.length) return undefined;
    return new MovedFields(
      kinds.map((kind, i) => ({ kind, at: inOrder(all.subarray((starts[i] as number) + 1, starts[i + 1])) })),
    );
  }

  /** Those of which a byte lies in [from, to), by address. */
  within(from: number, to: number): MovedField[] {
    const found: MovedField[] = [];
    for (const { kind, at } of this.#lists)
      for (let i = firstFrom(at, from - MOST_FIELD); i < at.length && (at[i] as number) < to; i++)
        if ((at[i] as number) + kind.size > from) found.push({ at: at[i] as number, ...kind });
    return found.sort((a, b) => a.at - b.at);
  }
}

/** The kernel's build sorts them; to sort so many again takes longer than all else here. */
function inOrder(list: Int32Array): Int32Array {
  for (let i = 1; i < list.length; i++) if ((list[i - 1] as number) > (list[i] as number)) return list.sort();
  return list;
}

/** The index of the first one that is not less. */
function firstFrom(sorted: Int32Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
