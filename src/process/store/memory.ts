/** The memory of a process, whatever its protection. Both throw where not all of it could be reached. */
export interface ProcessMemory {
  read(address: number, size: number): Buffer;
  write(address: number, bytes: Uint8Array): void;
}

/** Threads that stand still: their registers as `struct user_regs_struct` (sys/user.h). */
export interface StoppedThreads {
  registers(task: number): Buffer;
  setRegisters(task: number, registers: Buffer): void;
}

/** Offsets in `struct user_regs_struct`. */
export const REGISTER = { r11: 48, r10: 56, rip: 128, rsp: 152, fsBase: 168 } as const;

/** One register; addresses of user space are below 2^47. */
export function registerOf(registers: Buffer, offset: number): number {
  return registers.readUInt32LE(offset) + registers.readUInt32LE(offset + 4) * 2 ** 32;
}

export function setRegister(registers: Buffer, offset: number, value: number): void {
  registers.writeBigUInt64LE(BigInt(value), offset);
}
