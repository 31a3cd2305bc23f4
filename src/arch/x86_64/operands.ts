/** What the byte before a relocated field tells of the instruction that it is part of. */
import { isPcRelative } from "./relocations.ts";

/** A call or a jump, as against an address that is taken. @param offset of the relocated field */
export function isBranchField(code: Buffer, offset: number, type: number): boolean {
  if (!isPcRelative(type)) return false;
  const before = code[offset - 1] ?? 0;
  return before === 0xe8 || before === 0xe9 || ((before & 0xf0) === 0x80 && code[offset - 2] === 0x0f);
}

/** A ModRM byte that says RIP-relative: only then can an immediate follow the field. */
export function isRipRelativeField(code: Buffer, offset: number): boolean {
  return ((code[offset - 1] ?? 0) & 0xc7) === 0x05;
}
