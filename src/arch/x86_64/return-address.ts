/** Whether an address is one to which a call returns, by the bytes before it (Intel SDM, volume 2, CALL). */

/** The longest form that is looked at, bytes. */
export const LONGEST_CALL = 7;
const NEAR = 0xe8;
const GROUP_5 = 0xff;
/** The operation in a ModR/M byte that makes of group 5 a near call. */
const CALL = 2;

/** @param before the bytes right before the address, at least `LONGEST_CALL` of them where there are so many */
export function isBehindCall(before: Buffer): boolean {
  const end = before.length;
  if (end >= 5 && before[end - 5] === NEAR) return true;
  for (let length = 2; length <= Math.min(end, LONGEST_CALL); length++) {
    if (before[end - length] === GROUP_5 && lengthOfCall(before, end - length) === length) return true;
  }
  return false;
}

/** Where a call with a target of its own, `e8`, leads that lies right before an address; undefined where another one does. */
export function calledBefore(before: Buffer, address: number): number | undefined {
  const at = before.length - 5;
  return at >= 0 && before[at] === NEAR ? address + before.readInt32LE(at + 1) : undefined;
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
