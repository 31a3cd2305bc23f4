import { type FrameRow, SIGNAL_ROW, STUB_ROW } from "./frame-row.ts";

/** Bytes to look at. */
export const KNOWN_CODE_SIZE = 11;

/**
 * `mov $15, %rax; syscall` and `mov $15, %eax; syscall` (__NR_rt_sigreturn): what a
 * signal handler returns to. The kernel's frame lies on the stack whoever wrote the code.
 * A function that was called for us returns to the `mov %eax, %edi` before it.
 */
const SIGNAL_RETURN = /^(?:89c7)?(?:48c7c00f0000000f05|b80f0000000f05)/;
/** `[syscall;] ret`: the return address is on the top of the stack, whatever the code is. */
const RETURN = /^(?:0f05)?(?:f3)?c3/;
/** `[endbr64;] [bnd] jmp *offset(%rip)`: an entry of a linkage table. */
const LINKAGE = /^(?:f30f1efa)?(?:f2)?ff25/;

/**
 * The row of code that says what it is, where there is no frame information: for
 * what C libraries have in assembly, for programs that set signal handlers by
 * themselves, and for the linkage tables of linkers that do not describe them.
 */
export function knownCode(code: Buffer, isReturn: boolean): FrameRow | undefined {
  const text = code.toString("hex");
  if (SIGNAL_RETURN.test(text)) return SIGNAL_ROW;
  return !isReturn && (RETURN.test(text) || LINKAGE.test(text)) ? STUB_ROW : undefined;
}
