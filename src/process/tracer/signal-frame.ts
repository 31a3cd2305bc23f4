/**
 * The frame that the kernel puts on the stack for a signal handler, made by
 * hand: a thread that runs rt_sigreturn on it is again what it was, registers,
 * signal mask, vector registers and all (arch/x86/include/uapi/asm/sigcontext.h,
 * ucontext.h; arch/x86/kernel/fpu/signal.c).
 */

/** Offsets in `struct user_regs_struct`, bytes: sys/user.h. */
export const REGISTER = {
  r15: 0,
  r14: 8,
  r13: 16,
  r12: 24,
  rbp: 32,
  rbx: 40,
  r11: 48,
  r10: 56,
  r9: 64,
  r8: 72,
  rax: 80,
  rcx: 88,
  rdx: 96,
  rsi: 104,
  rdi: 112,
  origRax: 120,
  rip: 128,
  cs: 136,
  eflags: 144,
  rsp: 152,
  ss: 160,
  fsBase: 168,
} as const;

/** Order of the general registers in `struct sigcontext`. */
const CONTEXT = [
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
  "rdi",
  "rsi",
  "rbp",
  "rbx",
  "rdx",
  "rax",
  "rcx",
  "rsp",
  "rip",
  "eflags",
] as const;

const STACK_FLAGS = 24;
const CONTEXT_START = 40;
const SEGMENTS = CONTEXT_START + CONTEXT.length * 8;
const VECTOR_POINTER = SEGMENTS + 8 + 32;
const MASK = VECTOR_POINTER + 8 + 64;
const SIZE = MASK + 8;

/** FP_XSTATE, SIGCONTEXT_SS, STRICT_RESTORE_SS. */
const CONTEXT_FLAGS = 7;
/** No mode of an alternate stack: the kernel then leaves the thread's own as it is. */
const NO_STACK_MODE = 0x7fff_ffff;

const SOFTWARE_BYTES = 464;
const MAGIC_START = 0x46505853;
const MAGIC_END = 0x46505845;

export interface SignalFrame {
  /** Where the frame starts: what a stack pointer has to be for `ret` to go to the restorer. */
  readonly address: number;
  readonly bytes: Buffer;
}

/**
 * @param registers what the thread shall have afterwards (`struct user_regs_struct`)
 * @param vector its vector registers, as PTRACE_GETREGSET gives NT_X86_XSTATE
 * @param below the frame lies below this address
 * @param restorer address of `mov $15,%eax; syscall`
 */
export function signalFrame(
  registers: Buffer,
  mask: Buffer,
  vector: Buffer,
  below: number,
  restorer: number,
): SignalFrame {
  const vectorAt = alignDown(below - vector.length - 4, 64);
  // As after a call: 16-byte aligned once the return address is gone.
  const address = alignDown(vectorAt - SIZE - 8, 16) - 8;
  const bytes = Buffer.alloc(vectorAt + vector.length + 4 - address);
  bytes.writeBigUInt64LE(BigInt(restorer), 0);
  const context = bytes.subarray(8, 8 + SIZE);
  context.writeBigUInt64LE(BigInt(CONTEXT_FLAGS), 0);
  context.writeUInt32LE(NO_STACK_MODE, STACK_FLAGS);
  CONTEXT.forEach((name, index) => {
    registers.copy(context, CONTEXT_START + index * 8, REGISTER[name], REGISTER[name] + 8);
  });
  context.writeUInt16LE(registers.readUInt16LE(REGISTER.cs), SEGMENTS);
  context.writeUInt16LE(registers.readUInt16LE(REGISTER.ss), SEGMENTS + 6);
  context.writeBigUInt64LE(BigInt(vectorAt), VECTOR_POINTER);
  mask.copy(context, MASK, 0, 8);
  const at = vectorAt - address;
  vector.copy(bytes, at);
  // PTRACE_GETREGSET says here which features the image has; the frame wants it 8 bytes later.
  vector.copy(bytes, at + SOFTWARE_BYTES + 8, SOFTWARE_BYTES, SOFTWARE_BYTES + 8);
  bytes.writeUInt32LE(MAGIC_START, at + SOFTWARE_BYTES);
  bytes.writeUInt32LE(vector.length + 4, at + SOFTWARE_BYTES + 4);
  bytes.writeUInt32LE(vector.length, at + SOFTWARE_BYTES + 16);
  bytes.writeUInt32LE(MAGIC_END, at + vector.length);
  return { address, bytes };
}

function alignDown(value: number, to: number): number {
  return value - (value % to);
}
