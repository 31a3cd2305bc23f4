import type { Words } from "../elf/words.ts";

/** The section in which the kernel's tables lie. */
export interface Rodata {
  readonly data: Buffer;
  readonly words: Words;
  /** Where it is linked to. */
  readonly address: bigint;
  /** At a multiple of how many bytes each of the tables starts: 8, and 4 since 7.0. */
  readonly alignment: number;
}

/** Where a table starts that follows on what ends at `offset`. */
export function aligned(offset: number, { alignment }: Rodata): number {
  return (offset + alignment - 1) & -alignment;
}
