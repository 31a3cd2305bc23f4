/** Relocations of x86-64. Source: System V psABI for x86-64, table 4.9. */

export const R_X86_64 = {
  NONE: 0,
  64: 1,
  PC32: 2,
  PLT32: 4,
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

const PC_RELATIVE: ReadonlySet<number> = new Set([
  R_X86_64.PC32,
  R_X86_64.PLT32,
  R_X86_64.PC64,
  R_X86_64.GOTPCREL,
  R_X86_64.GOTPCRELX,
  R_X86_64.REX_GOTPCRELX,
  R_X86_64.TLSGD,
  R_X86_64.TLSLD,
  R_X86_64.GOTTPOFF,
]);

/** The bytes that a relocation fills in; `undefined` for a type that neither the kernel's module loader nor ours takes. */
export function relocationSize(type: number): 4 | 8 | undefined {
  return SIZES.get(type);
}

export function isPcRelative(type: number): boolean {
  return PC_RELATIVE.has(type);
}

/** Fields that refer to a slot that holds something of the symbol, so that the addend is not part of what is meant. */
export function isBySlot(type: number): boolean {
  return BY_SLOT.has(type);
}

const BY_SLOT: ReadonlySet<number> = new Set([
  R_X86_64.GOTPCREL,
  R_X86_64.GOTPCRELX,
  R_X86_64.REX_GOTPCRELX,
  R_X86_64.TLSGD,
  R_X86_64.TLSLD,
  R_X86_64.GOTTPOFF,
]);
