/** Entries of linkage tables (PLT): code that jumps to where a pointer says. */

/** `undefined` where not all of it can be read. */
export type Read = (address: number, size: number) => Buffer | undefined;

const ENDBR64 = Buffer.from([0xf3, 0x0f, 0x1e, 0xfa]);
const SIZE = 16;
const WORD = 8;
const HIGH = 2 ** 32;

/** Where `[endbr64;] [bnd] jmp *offset(%rip)` leads. */
export function linkedTo(address: number, read: Read): number | undefined {
  const code = read(address, SIZE);
  if (code === undefined) return undefined;
  let at = code.subarray(0, ENDBR64.length).equals(ENDBR64) ? ENDBR64.length : 0;
  if (code[at] === 0xf2) at++;
  if (code[at] !== 0xff || code[at + 1] !== 0x25) return undefined;
  return pointerAt(address + at + 6 + code.readInt32LE(at + 2), read);
}

/** The eight bytes there as an address; undefined where they cannot be read. */
export function pointerAt(address: number, read: Read): number | undefined {
  const bytes = read(address, WORD);
  return bytes && bytes.readUInt32LE(0) + bytes.readUInt32LE(4) * HIGH;
}
