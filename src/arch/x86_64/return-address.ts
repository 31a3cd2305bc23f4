/** Whether an address is one to which a call returns, by the bytes before it (Intel SDM, volume 2, CALL). */

import type { CallsBefore } from "../call-code.ts";

/** The longest form that is looked at, bytes. */
export const LONGEST_CALL = 7;
const NEAR = 0xe8;
const NEAR_LENGTH = 5;
const GROUP_5 = 0xff;
/** The operation in a ModR/M byte that makes of group 5 a near call. */
const CALL = 2;

/** @param before the bytes right before the address, at least `LONGEST_CALL` of them where there are so many */
export function callsBefore(before: Buffer, address: number): CallsBefore {
  const end = before.length;
  const at = end - NEAR_LENGTH;
  const target = at >= 0 && before[at] === NEAR ? address + before.readInt32LE(at + 1) : undefined;
  for (let length = 2; length <= Math.min(end, LONGEST_CALL); length++) {
    if (before[end - length] === GROUP_5 && lengthOfCall(before, end - length) === length)
      return { target, indirect: length };
  }
  return { target, indirect: undefined };
}

/** `call *offset(%rip)`. */
const CALL_BY_SLOT = { bytes: [GROUP_5, 0x15], length: 6 };

/** Where the pointer lies by which a call that returns to an address leads on, if it says that itself. @param call its bytes */
export function slotOfCall(call: Buffer, returnAddress: number): number | undefined {
  const isBySlot = call.length === CALL_BY_SLOT.length && CALL_BY_SLOT.bytes.every((byte, at) => call[at] === byte);
  return isBySlot ? returnAddress + call.readInt32LE(2) : undefined;
}

/** Of an indirect call, 0 where it is none. */
function lengthOfCall(bytes: Buffer, at: number): number {
  const modrm = bytes[at + 1] ?? 0;
  if (((modrm >> 3) & 7) !== CALL) return 0;
  const mode = modrm >> 6;
  const base = modrm & 7;
  if (mode === 3) return 2;
  const hasScale = base === 4;
  const isLong = mode === 2 || (mode === 0 && (base === 5 || (hasScale && ((bytes[at + 2] ?? 0) & 7) === 5)));
  return 2 + (hasScale ? 1 : 0) + (isLong ? 4 : mode === 1 ? 1 : 0);
}
