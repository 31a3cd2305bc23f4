/** The call instruction before a return address, where it is certain which one it is. */

type Read = (address: number, size: number) => Buffer | undefined;

const CALL = 0xe8;
const CALL_LENGTH = 5;
const ENDBR64 = Buffer.from([0xf3, 0x0f, 0x1e, 0xfa]);
const LINKAGE_SIZE = 16;

/**
 * Address of the call that returns there, if it is a direct one (`e8`) of one of these functions,
 * itself or by a linkage table: other bytes could be the end of another instruction.
 */
export function callSite(returnAddress: number, entries: ReadonlySet<number>, read: Read): number | undefined {
  const at = returnAddress - CALL_LENGTH;
  const code = read(at, CALL_LENGTH);
  if (code?.[0] !== CALL) return undefined;
  const target = returnAddress + code.readInt32LE(1);
  return entries.has(target) || entries.has(linkedTo(target, read) ?? -1) ? at : undefined;
}

/** Where `[endbr64;] [bnd] jmp *offset(%rip)` leads. */
function linkedTo(address: number, read: Read): number | undefined {
  const code = read(address, LINKAGE_SIZE);
  if (code === undefined) return undefined;
  let at = code.subarray(0, ENDBR64.length).equals(ENDBR64) ? ENDBR64.length : 0;
  if (code[at] === 0xf2) at++;
  if (code[at] !== 0xff || code[at + 1] !== 0x25) return undefined;
  const slot = read(address + at + 6 + code.readInt32LE(at + 2), 8);
  return slot && Number(slot.readBigUInt64LE());
}
