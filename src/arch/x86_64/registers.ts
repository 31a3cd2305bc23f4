/** `struct user_regs_struct` (sys/user.h), the only copy of it. */
import type { Registers } from "../registers.ts";

const REGISTERS_SIZE = 216;

/** Offsets, bytes. */
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

/** By the numbers of call-frame information: System V psABI for x86-64, figure 3.36. */
const COLUMNS = [
  ...(["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"] as const),
  ...(["r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip"] as const),
].map((name) => REGISTER[name]);

const HIGH = 2 ** 32;
const NO_SYSTEM_CALL = 2n ** 64n - 1n;
/** Clear at the entry of every function: System V psABI. */
const DIRECTION_FLAG = 0x400;
const ARGUMENTS = [REGISTER.rdi, REGISTER.rsi, REGISTER.rdx, REGISTER.r10, REGISTER.r8, REGISTER.r9];

const EINTR = -4;
/** ERESTARTNOHAND of include/linux/errno.h: made again, or EINTR where a signal is handled first. */
const ERESTARTNOHAND = -514n;
/** ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK: include/linux/errno.h. */
const RESTARTED = new Set([-512n, -513n, ERESTARTNOHAND, -516n]);
/** Of the calls that fail with EINTR the only one that has had its effect by then: the descriptor is closed. */
const CLOSE = 3n;
/** Made to go on by restart_syscall. */
const ERESTART_RESTARTBLOCK = -516;
/** Length of `syscall`. */
const SYSCALL_LENGTH = 2n;
/** What is another each time that a thread makes the same system call: rax, rcx, r11, and the call's number. */
const SAME = [
  [REGISTER.r15, REGISTER.r11],
  [REGISTER.r10, REGISTER.rax],
  [REGISTER.rdx, REGISTER.origRax],
  [REGISTER.rip, REGISTERS_SIZE],
] as const;

/** `bytes` is a `struct user_regs_struct`, in memory that does not move, since the kernel is given its address. */
export class X86Registers implements Registers {
  readonly bytes: Buffer;

  constructor(bytes: Buffer = Buffer.from(new ArrayBuffer(REGISTERS_SIZE))) {
    this.bytes = bytes;
  }

  get pc(): number {
    return this.#word(REGISTER.rip);
  }

  set pc(value: number) {
    this.#set(REGISTER.rip, value);
  }

  get sp(): number {
    return this.#word(REGISTER.rsp);
  }

  set sp(value: number) {
    this.#set(REGISTER.rsp, value);
  }

  get threadPointer(): number {
    return this.#word(REGISTER.fsBase);
  }

  set threadPointer(value: number) {
    this.#set(REGISTER.fsBase, value);
  }

  get result(): number {
    return Number(this.bytes.readBigInt64LE(REGISTER.rax));
  }

  get firstArgument(): number {
    return this.bytes.readInt32LE(REGISTER.rdi);
  }

  copy(): X86Registers {
    const copy = new X86Registers();
    this.bytes.copy(copy.bytes);
    return copy;
  }

  fillColumns(into: Float64Array): void {
    for (let column = 0; column < COLUMNS.length; column++) into[column] = this.#word(COLUMNS[column] as number);
  }

  get waitsOnBy(): number | undefined {
    // By halves, as below.
    if (this.bytes.readInt32LE(REGISTER.rax) !== ERESTART_RESTARTBLOCK) return undefined;
    if (this.bytes.readInt32LE(REGISTER.rax + 4) !== -1) return undefined;
    const number = this.bytes.readInt32LE(REGISTER.origRax);
    return number < 0 ? undefined : number;
  }

  isOfSameCall({ bytes }: Registers): boolean {
    return SAME.every(([start, end]) => this.bytes.compare(bytes, start, end, start, end) === 0);
  }

  leaveInterruptedCall(): boolean {
    // Compared by halves: it is asked in every stop of every thread.
    if (this.bytes.readInt32LE(REGISTER.rax) !== EINTR || this.bytes.readInt32LE(REGISTER.rax + 4) !== -1) return false;
    const number = this.bytes.readBigInt64LE(REGISTER.origRax);
    if (number < 0n || number === CLOSE) return false;
    this.bytes.writeBigInt64LE(ERESTARTNOHAND, REGISTER.rax);
    return true;
  }

  /**
   * One that would go on after the time that it has waited already (restart_syscall) waits from the start
   * again: rt_sigreturn has it fail otherwise.
   */
  takeBackCall(call: number | undefined): void {
    const { bytes } = this;
    const number = bytes.readBigInt64LE(REGISTER.origRax);
    bytes.writeBigUInt64LE(NO_SYSTEM_CALL, REGISTER.origRax);
    if (number < 0n || !RESTARTED.has(bytes.readBigInt64LE(REGISTER.rax))) return;
    bytes.writeBigInt64LE(call === undefined ? number : BigInt(call), REGISTER.rax);
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(REGISTER.rip) - SYSCALL_LENGTH, REGISTER.rip);
  }

  enterSystemCall(number: number, args: readonly number[], at: number, sp: number): void {
    this.#set(REGISTER.rax, number);
    for (const [index, place] of ARGUMENTS.entries()) this.#set(place, args[index] ?? 0);
    this.pc = at;
    this.sp = sp;
    this.bytes.writeBigUInt64LE(NO_SYSTEM_CALL, REGISTER.origRax);
  }

  enterFunction(entry: number, sp: number): void {
    this.#set(REGISTER.rax, 0);
    this.pc = entry;
    this.sp = sp;
    this.bytes.writeBigUInt64LE(NO_SYSTEM_CALL, REGISTER.origRax);
    this.bytes.writeUInt32LE(this.bytes.readUInt32LE(REGISTER.eflags) & ~DIRECTION_FLAG, REGISTER.eflags);
  }

  /** Addresses of programs are below 2^53; what is above loses its last bits. */
  #word(at: number): number {
    return this.bytes.readUInt32LE(at) + this.bytes.readUInt32LE(at + 4) * HIGH;
  }

  #set(at: number, value: number): void {
    this.bytes.writeBigInt64LE(BigInt(value), at);
  }
}
