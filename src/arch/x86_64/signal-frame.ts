/**
 * The frame that the kernel puts on the stack for a signal handler, made by
 * hand: a thread that runs rt_sigreturn on it is again what it was, registers,
 * signal mask, vector registers and all (arch/x86/include/uapi/asm/sigcontext.h,
 * ucontext.h; arch/x86/kernel/fpu/signal.c).
 */

import type { SignalFrame, ThreadState } from "../linux-abi.ts";
import { REGISTER } from "./registers.ts";

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

/** As `LinuxAbi.signalFrame` has it: `registers` is `struct user_regs_struct`, `vector` NT_X86_XSTATE. */
export function signalFrame(
  { registers: { bytes: registers }, mask, vector }: ThreadState,
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
