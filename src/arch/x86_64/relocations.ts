/** Relocations of x86-64. Source: System V psABI for x86-64, table 4.9. */

export const R_X86_64 = {
  NONE: 0,
  64: 1,
  PC32: 2,
  PLT32: 4,
  32: 10,
  "32S": 11,
  PC64: 24,
} as const;

const SIZES: ReadonlyMap<number, 4 | 8> = new Map<number, 4 | 8>([
  [R_X86_64[64], 8],
  [R_X86_64.PC32, 4],
  [R_X86_64.PLT32, 4],
  [R_X86_64[32], 4],
  [R_X86_64["32S"], 4],
  [R_X86_64.PC64, 8],
]);

/** The bytes that a relocation fills in; `undefined` for a type that the kernel's module loader does not take. */
export function relocationSize(type: number): 4 | 8 | undefined {
  return SIZES.get(type);
}

export function isPcRelative(type: number): boolean {
  return type === R_X86_64.PC32 || type === R_X86_64.PLT32 || type === R_X86_64.PC64;
}
