import type { TryRead } from "../call-code.ts";
import { ENDBR64 } from "./hook-jump.ts";

const SIZE = 16;
const BND = 0xf2;
const JUMP_BY_SLOT = [0xff, 0x25] as const;
const CALL = 0xe8;
const CALL_LENGTH = 5;

/** Of `[endbr64;] [bnd] jmp *offset(%rip)`, an entry of a linkage table: where the pointer lies. */
export function linkageSlot(address: number, read: TryRead): number | undefined {
  const code = read(address, SIZE);
  if (code === undefined) return undefined;
  let at = code.subarray(0, ENDBR64.length).equals(ENDBR64) ? ENDBR64.length : 0;
  if (code[at] === BND) at++;
  if (code[at] !== JUMP_BY_SLOT[0] || code[at + 1] !== JUMP_BY_SLOT[1]) return undefined;
  return address + at + 6 + code.readInt32LE(at + 2);
}

/** `call`, as the five bytes before a return address may be: other bytes could be the end of another instruction. */
export function directCallBefore(
  returnAddress: number,
  read: TryRead,
): { readonly at: number; readonly target: number } | undefined {
  const at = returnAddress - CALL_LENGTH;
  const code = read(at, CALL_LENGTH);
  return code?.[0] === CALL ? { at, target: returnAddress + code.readInt32LE(1) } : undefined;
}
