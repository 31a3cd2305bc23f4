/** Unwinding on x86-64: System V psABI, sections 3.2 and 3.6. */
import type { UnwindAbi } from "../unwind-abi.ts";

const RSP = 7;

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

/** DWARF numbers of registers: System V psABI for x86-64, figure 3.36. */
export const UNWIND_X86_64: UnwindAbi = {
  // General registers and the return address.
  columns: 17,
  framePointer: 6,
  stackPointer: RSP,
  returnAddress: 16,
  volatile: [0, 1, 2, 4, 5, 8, 9, 10, 11],
  entry: { cfaOffset: 8, returnOffset: -8 },
  // `struct sigcontext`, behind what comes before it in `struct ucontext`.
  signalFrame: [144, 136, 152, 128, 112, 104, 120, 160, 40, 48, 56, 64, 72, 80, 88, 96, 168],
  knownCodeSize: 11,
  knownCode(code, isReturn) {
    const text = code.toString("hex");
    if (SIGNAL_RETURN.test(text)) return "signal-return";
    return !isReturn && (RETURN.test(text) || LINKAGE.test(text)) ? "as-entered" : undefined;
  },
};
