/** Where a jump can lead a function of the kernel to another one, behind what must stay at its entry. */

/** jmp rel32 */
export const JUMP_SIZE = 5;

const ENDBR64 = Buffer.from([0xf3, 0x0f, 0x1e, 0xfa]);
/** The size of ftrace's call, and of the NOP that takes its place. */
const HOOK_SIZE = 5;

/**
 * The kernel may have made a NOP of the landing pad (`endbr64`, IBT), and owns
 * what lies at a hook: the jump leaves both alone.
 * @param entry offset of the entry in `code`
 * @param isHook whether ftrace's call lies at an offset
 */
export function jumpOffset(code: Buffer, entry: number, isHook: (offset: number) => boolean): number {
  const pad = code.subarray(entry, entry + ENDBR64.length).equals(ENDBR64) ? ENDBR64.length : 0;
  const first = entry + pad;
  return isHook(first) ? first + HOOK_SIZE : first;
}
