/** The hook itself: a jump of five bytes at a function's entry, behind `endbr64` if there is one. */

/** Bytes of the jump, e9 and a displacement of 32 bits. */
export const HOOK_LENGTH = 5;

/** What a compiler puts at entries that indirect calls may reach (CET); it stays where it is. */
export const ENDBR64 = Buffer.from([0xf3, 0x0f, 0x1e, 0xfa]);

const REACH = 0x7fff_ffff;

/** Whether code at `from` can jump to, or refer to, `to` by a displacement of 32 bits, wherever in 16 bytes it does so. */
export function isInReach(from: number, to: number): boolean {
  return Math.abs(to - from) <= REACH - 16;
}

/** `jmp to` as it lies at `from`: E9 and 32 bits. Throws RangeError where `to` is out of reach. */
export function jumpCode(from: number, to: number): Buffer {
  const bytes = Buffer.alloc(HOOK_LENGTH);
  bytes[0] = 0xe9;
  bytes.writeInt32LE(to - (from + HOOK_LENGTH), 1);
  return bytes;
}

/** Where the jump that lies at `from` goes to; undefined where there is none. */
export function jumpTarget(from: number, bytes: Uint8Array): number | undefined {
  if (bytes.length < HOOK_LENGTH || bytes[0] !== 0xe9) return undefined;
  return from + HOOK_LENGTH + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readInt32LE(1);
}
