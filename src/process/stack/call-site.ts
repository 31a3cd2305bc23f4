/** The call instruction before a return address, where it is certain which one it is. */
import { linkedTo, type Read } from "./linkage.ts";

const CALL = 0xe8;
const CALL_LENGTH = 5;

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
