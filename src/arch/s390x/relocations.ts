/** Relocations of s390x. Source: ELF Application Binary Interface s390x Supplement, chapter 2; the kernel's arch/s390/kernel/module.c. */
import { EM } from "../../elf/constants.ts";
import { BIG } from "../../elf/words.ts";
import type { ElfAbi } from "../elf-abi.ts";

/** Relocation types that compilers and suture use, by their names in the supplement without R_390_. */
export const R_390 = {
  NONE: 0,
  32: 4,
  PC32: 5,
  GOTENT: 26,
  PC16DBL: 16,
  PLT16DBL: 18,
  PC32DBL: 19,
  PLT32DBL: 20,
  64: 22,
  PC64: 23,
} as const;

const SIZES: ReadonlyMap<number, 2 | 4 | 8> = new Map<number, 2 | 4 | 8>([
  [R_390[32], 4],
  [R_390.PC32, 4],
  [R_390.GOTENT, 4],
  [R_390.PC16DBL, 2],
  [R_390.PLT16DBL, 2],
  [R_390.PC32DBL, 4],
  [R_390.PLT32DBL, 4],
  [R_390[64], 8],
  [R_390.PC64, 8],
]);

/** Fields that count halfwords from the start of the instruction that they are in, two bytes before. */
const OF_INSTRUCTIONS: ReadonlySet<number> = new Set([
  R_390.GOTENT,
  R_390.PC16DBL,
  R_390.PLT16DBL,
  R_390.PC32DBL,
  R_390.PLT32DBL,
]);

/** Whether the field counts halfwords from the start of the instruction that it lies in. */
export function isOfInstruction(type: number): boolean {
  return OF_INSTRUCTIONS.has(type);
}

/**
 * Source: ELF Application Binary Interface s390x Supplement; the kernel's
 * arch/s390/kernel/module.c for what is loadable.
 */
export const elf: ElfAbi = {
  machine: EM.S390,
  words: BIG,
  relocations: { none: R_390.NONE, pointer: R_390[64], distance: R_390.PC32, operand: R_390.PC32DBL },
  relocationSize: (type) => SIZES.get(type),
  isPcRelative: (type) => isOfInstruction(type) || type === R_390.PC32 || type === R_390.PC64,
  isBySlot: (type) => type === R_390.GOTENT,
  // Modules lie out of reach of the kernel: the module loader makes a stub for what the type says may have one.
  inKernel: (type) => type,
  isLoadable: (type) => SIZES.has(type) || type === R_390.NONE,
  relocationName(type) {
    const known = Object.entries(R_390).find(([, value]) => value === type);
    return known === undefined ? `${type}` : `R_390_${known[0]}`;
  },
  fieldValue(type, field) {
    if (field.length === 8) return BIG.offset(field, 0);
    const value = field.length === 2 ? BIG.i16(field, 0) : type === R_390[32] ? BIG.u32(field, 0) : BIG.i32(field, 0);
    return isOfInstruction(type) ? 2 * value : value;
  },
  // lgrl becomes larl.
  relaxedBefore: (type) => (type === R_390.GOTENT ? 2 : 0),
};
