/** What linkers and compilers put between functions: it never runs. */
import { decodeInstruction } from "./instruction.ts";

const INT3 = 0xcc;
const NOP = 0x90;

/** Whether the first `count` bytes are padding; the instruction that the count cuts has to be a nop as a whole. */
export function isPadding(bytes: Uint8Array, count: number): boolean {
  for (let at = 0; at < count; ) {
    const byte = bytes[at];
    if (byte === 0 || byte === INT3 || byte === NOP) at++;
    else {
      const length = nopLength(bytes, at);
      if (length === 0) return false;
      at += length;
    }
  }
  return true;
}

/** A long nop: operand size and segment prefixes, then 90 or 0F 1F; 0 for anything else. */
function nopLength(bytes: Uint8Array, offset: number): number {
  let at = offset;
  while (bytes[at] === 0x66 || bytes[at] === 0x2e) at++;
  const isNop = bytes[at] === NOP || (bytes[at] === 0x0f && bytes[at + 1] === 0x1f);
  return isNop ? (decodeInstruction(bytes, offset)?.length ?? 0) : 0;
}
