import type { Words } from "../elf/words.ts";

/** The section in which the kernel's tables lie. */
export interface Rodata {
  readonly data: Buffer;
  readonly words: Words;
  /** Where it is linked to. */
  readonly address: bigint;
}

/** The next multiple of 8, at which each of the kernel's tables starts. */
export function aligned(offset: number): number {
  return (offset + 7) & ~7;
}
