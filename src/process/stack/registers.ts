/** DWARF numbers: System V psABI for x86-64, figure 3.36. */
export const RBP = 6;
export const RSP = 7;
export const RIP = 16;
/** General registers and the return address: all that unwinding needs. */
export const COLUMNS = 17;

/** What a call may change: System V psABI for x86-64, figure 3.4. */
export const VOLATILE: readonly number[] = [0, 1, 2, 4, 5, 8, 9, 10, 11];

/** Size of `struct user_regs_struct` (sys/user.h), bytes: what PTRACE_GETREGS fills. */
const USER_REGISTERS_SIZE = 216;
/** Offset of each register in it, by DWARF number. */
const OFFSETS = [80, 96, 88, 40, 104, 112, 32, 152, 72, 64, 56, 48, 24, 16, 8, 0, 128] as const;
const FS_BASE = 168;

const HIGH = 0x1_0000_0000;

/** Fills `into` by DWARF number. A value above 2^53 loses its last bits: it is no address of user space. */
export function takeRegisters(user: Buffer, into: Float64Array): void {
  for (let register = 0; register < COLUMNS; register++) {
    const at = OFFSETS[register] as number;
    into[register] = user.readUInt32LE(at) + user.readUInt32LE(at + 4) * HIGH;
  }
}

/** The thread pointer. */
export function fsBaseOf(user: Buffer): number {
  return user.readUInt32LE(FS_BASE) + user.readUInt32LE(FS_BASE + 4) * HIGH;
}

/** The structure with these two registers, all others zero. */
export function userRegisters({ rip, rsp }: { readonly rip: number; readonly rsp: number }): Buffer {
  const user = Buffer.alloc(USER_REGISTERS_SIZE);
  user.writeBigUInt64LE(BigInt(rip), OFFSETS[RIP]);
  user.writeBigUInt64LE(BigInt(rsp), OFFSETS[RSP]);
  return user;
}

export function setFsBase(user: Buffer, value: number): void {
  user.writeBigUInt64LE(BigInt(value), FS_BASE);
}
