import type { ElfHeader } from "./model.ts";
import { BIG, wordsOf } from "./words.ts";

/** Bytes at a file's start that say it. */
export const IDENTITY_BYTES = 20;
const MAGIC = 0x7f454c46;
const CLASS_64 = 2;

/** What kind of 64-bit ELF file starts so; undefined for anything else. */
export function identityOf(start: Buffer): Pick<ElfHeader, "endian" | "type" | "machine"> | undefined {
  if (start.length < IDENTITY_BYTES || !isElf(start) || start[4] !== CLASS_64) return undefined;
  if (start[5] !== 1 && start[5] !== 2) return undefined;
  const words = wordsOf(start[5] === 1 ? "little" : "big");
  return { endian: words.endian, type: words.u16(start, 16), machine: words.u16(start, 18) };
}

/** Of whatever class. */
export function isElf(start: Buffer): boolean {
  return start.length >= 4 && BIG.u32(start, 0) === MAGIC;
}
