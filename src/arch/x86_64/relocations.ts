/** Relocations of x86-64. Source: System V psABI for x86-64, table 4.9. */

import { EM } from "../../elf/constants.ts";
import { LITTLE } from "../../elf/words.ts";
import type { ElfAbi } from "../elf-abi.ts";

/** Relocation types that compilers and suture use, by their names in the psABI without R_X86_64_. */
export const R_X86_64 = {
  NONE: 0,
  64: 1,
  PC32: 2,
  PLT32: 4,
  COPY: 5,
  GLOB_DAT: 6,
  JUMP_SLOT: 7,
  GOTPCREL: 9,
  32: 10,
  "32S": 11,
  DTPMOD64: 16,
  DTPOFF64: 17,
  TPOFF64: 18,
  TLSGD: 19,
  TLSLD: 20,
  DTPOFF32: 21,
  GOTTPOFF: 22,
  TPOFF32: 23,
  PC64: 24,
  IRELATIVE: 37,
  GOTPCRELX: 41,
  REX_GOTPCRELX: 42,
} as const;

const SIZES: ReadonlyMap<number, 4 | 8> = new Map<number, 4 | 8>([
  [R_X86_64[64], 8],
  [R_X86_64.PC32, 4],
  [R_X86_64.PLT32, 4],
  [R_X86_64.GOTPCREL, 4],
  [R_X86_64[32], 4],
  [R_X86_64["32S"], 4],
  [R_X86_64.DTPOFF64, 8],
  [R_X86_64.TPOFF64, 8],
  [R_X86_64.TLSGD, 4],
  [R_X86_64.TLSLD, 4],
  [R_X86_64.DTPOFF32, 4],
  [R_X86_64.GOTTPOFF, 4],
  [R_X86_64.TPOFF32, 4],
  [R_X86_64.PC64, 8],
  [R_X86_64.GOTPCRELX, 4],
  [R_X86_64.REX_GOTPCRELX, 4],
]);

const BY_SLOT: ReadonlySet<number> = new Set([
  R_X86_64.GOTPCREL,
  R_X86_64.GOTPCRELX,
  R_X86_64.REX_GOTPCRELX,
  R_X86_64.TLSGD,
  R_X86_64.TLSLD,
  R_X86_64.GOTTPOFF,
]);

const PC_RELATIVE: ReadonlySet<number> = new Set([R_X86_64.PC32, R_X86_64.PLT32, R_X86_64.PC64, ...BY_SLOT]);

/** Bytes that a relocation fills in; undefined for a type that is not known. */
export function relocationSize(type: number): 4 | 8 | undefined {
  return SIZES.get(type);
}

/** Whether the field holds a distance from itself, not an address. */
export function isPcRelative(type: number): boolean {
  return PC_RELATIVE.has(type);
}

function isBySlot(type: number): boolean {
  return BY_SLOT.has(type);
}

/** Source: the kernel's arch/x86/kernel/module.c, apply_relocate_add. */
const LOADABLE: ReadonlySet<number> = new Set([
  ...[R_X86_64.NONE, R_X86_64[64], R_X86_64[32], R_X86_64["32S"], R_X86_64.PC32, R_X86_64.PLT32, R_X86_64.PC64],
]);

/** Opcode and operand of instructions that the linker rewrites where it knows the place, bytes before the field. */
const RELAXED: ReadonlyMap<number, number> = new Map([
  [R_X86_64.GOTPCRELX, 2],
  [R_X86_64.REX_GOTPCRELX, 3],
]);

/** Types that the kernel's module loader takes are those of apply_relocate_add, arch/x86/kernel/module.c. */
export const elf: ElfAbi = {
  machine: EM.X86_64,
  words: LITTLE,
  relocations: {
    none: R_X86_64.NONE,
    pointer: R_X86_64[64],
    distance: R_X86_64.PC32,
    operand: R_X86_64.PC32,
  },
  relocationSize,
  isPcRelative,
  isBySlot,
  // Which of the two an assembler takes tells only whether it knows the callee.
  inKernel: (type) => (type === R_X86_64.PLT32 ? R_X86_64.PC32 : type),
  isLoadable: (type) => LOADABLE.has(type),
  relocationName(type) {
    const known = Object.entries(R_X86_64).find(([, value]) => value === type);
    return known === undefined ? `${type}` : `R_X86_64_${known[0]}`;
  },
  fieldValue(type, field) {
    if (field.length === 8) return Number(field.readBigInt64LE());
    return type === R_X86_64[32] ? field.readUInt32LE() : field.readInt32LE();
  },
  relaxedBefore: (type) => RELAXED.get(type) ?? 0,
};
