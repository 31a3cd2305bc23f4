/** Where a jump can lead a function of the kernel to another one, behind what must stay at its entry. */

import type { EntryJump } from "../kernel-abi.ts";

const ENDBR64 = Buffer.from([0xf3, 0x0f, 0x1e, 0xfa]);
/** The size of ftrace's call, and of the NOP that takes its place. */
const HOOK_SIZE = 5;

/** `jmp` with a displacement of 32 bits. */
export const entryJump: EntryJump = {
  // jmp rel32
  size: 5,
  callField: 1,
  // The kernel may have made a NOP of the landing pad (`endbr64`, IBT), and owns what lies at a hook: the jump leaves both alone.
  offset(code, entry, isHook) {
    const pad = code.subarray(entry, entry + ENDBR64.length).equals(ENDBR64) ? ENDBR64.length : 0;
    const first = entry + pad;
    return isHook(first) ? first + HOOK_SIZE : first;
  },
};
