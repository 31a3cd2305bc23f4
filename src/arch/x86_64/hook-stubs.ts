/**
 * Stubs: what the hook of a function jumps to while it has to choose.
 *
 * They run at a function's entry, so the space below the stack pointer is no
 * one's: what they save goes into the red zone, and the stack pointer never moves
 * (the caller's frame is found at rsp + 8 throughout). All registers are kept, the
 * flags are not: no calling convention, and no interprocedural register allocation
 * of gcc, keeps flags across a call.
 *
 * A stub tells by itself whose it is, so that a task that stands in one can be put
 * back to the entry, as if it had not begun: it has no other effect.
 */
import type { BehindTable, ReadBytes, ThreadPointerSource } from "../hook-abi.ts";
import type { Registers } from "../registers.ts";
import { jumpCode } from "./hook-jump.ts";
import { REGISTER } from "./registers.ts";

/** A register that is saved from this offset of the stub on, at `rsp + slot`. */
interface SavedRegister {
  readonly register: "r10" | "r11";
  readonly from: number;
  readonly slot: number;
}

/**
 * Multiplicative hashing (Knuth, The Art of Computer Programming 3, 6.4): the odd
 * number nearest to 2^64 divided by the golden ratio. It spreads what lies at equal
 * distances, as stacks do.
 */
const MULTIPLIER = 0x9e37_79b9_7f4a_7c15n;

const MULTIPLIER_BYTES = Buffer.alloc(8);
MULTIPLIER_BYTES.writeBigUInt64LE(MULTIPLIER);

/** The place where the search for a thread pointer starts, just as the stub computes it. */
export function hashPlace(threadPointer: bigint, bits: number): number {
  return Number(BigInt.asUintN(64, threadPointer * MULTIPLIER) >> BigInt(64 - bits));
}

const SAVE_R11 = [0x4c, 0x89, 0x5c, 0x24, 0xf8];
const SAVE_R10 = [0x4c, 0x89, 0x54, 0x24, 0xf0];
const RESTORE_R11 = [0x4c, 0x8b, 0x5c, 0x24, 0xf8];
const RESTORE_R10 = [0x4c, 0x8b, 0x54, 0x24, 0xf0];
const READ_THREAD_POINTER = {
  /** rdfsbase, which the kernel has to allow. */
  instruction: [0xf3, 0x49, 0x0f, 0xae, 0xc3],
  /** From where the C library keeps it. */
  memory: [0x64, 0x4c, 0x8b, 0x1c, 0x25, 0, 0, 0, 0],
} as const;

const SAVED_R11: SavedRegister = { register: "r11", from: SAVE_R11.length, slot: -8 };
const SAVED_R10: SavedRegister = { register: "r10", from: SAVE_R11.length + SAVE_R10.length, slot: -16 };

/** Stubs have this size and alignment, what follows their code included. */
export const STUB_SIZE = 128;
/** Offsets of what follows a stub's code. */
const STUB_END = { table: 96, hook: 104, kind: 112 } as const;
const KIND = { choose: 0x6573_6f6f_6863n, switch: 0x6863_7469_7773n } as const;

/** Tasks in the table go to `behind`, all others to `ahead`. */
export function chooseStub(
  start: number,
  hookAt: number,
  to: { readonly behind: number; readonly ahead: number },
  table: BehindTable & { readonly source: ThreadPointerSource },
): Buffer {
  const head = Buffer.from([
    ...SAVE_R11,
    ...SAVE_R10,
    ...READ_THREAD_POINTER[table.source],
    // movabs $MULTIPLIER, %r10; imul %r11, %r10
    ...[0x49, 0xba, ...MULTIPLIER_BYTES],
    ...[0x4d, 0x0f, 0xaf, 0xd3],
    // shr, then and: the place, times 8
    ...[0x49, 0xc1, 0xea, 61 - table.bits],
    ...[0x49, 0x83, 0xe2, 0xf8],
  ]);
  const search = Buffer.from([
    // add the table's address, which lies behind the code
    ...[0x4c, 0x03, 0x15, 0, 0, 0, 0],
    // again: cmp %r11, (%r10); je found
    ...[0x4d, 0x39, 0x1a, 0x74, 12],
    // cmpq $0, (%r10); je absent; add $8, %r10; jmp again
    ...[0x49, 0x83, 0x3a, 0, 0x74, 21],
    ...[0x49, 0x83, 0xc2, 8, 0xeb, 0xef],
  ]);
  const restore = Buffer.from([...RESTORE_R10, ...RESTORE_R11]);
  const found = start + head.length + search.length + restore.length;
  const jumpBehind = jumpCode(found, to.behind);
  const absent = found + jumpBehind.length + restore.length;
  const code = Buffer.concat([head, search, restore, jumpBehind, restore, jumpCode(absent, to.ahead)]);
  code.writeInt32LE(STUB_END.table - (head.length + 7), head.length + 3);
  return finished(code, KIND.choose, hookAt, table.address);
}

/** Jumps to `now` while the byte at `generation.address` is `generation.value`, else to `before`. */
export function switchStub(
  start: number,
  hookAt: number,
  to: { readonly before: number; readonly now: number },
  generation: { readonly address: number; readonly value: number },
): Buffer {
  const compare = Buffer.from([
    ...SAVE_R11,
    ...[0x49, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0],
    ...[0x41, 0x80, 0x3b, generation.value],
    ...RESTORE_R11,
    // jne before
    ...[0x75, 5],
  ]);
  compare.writeBigUInt64LE(BigInt(generation.address), SAVE_R11.length + 2);
  const now = jumpCode(start + compare.length, to.now);
  const before = jumpCode(start + compare.length + now.length, to.before);
  return finished(Buffer.concat([compare, now, before]), KIND.switch, hookAt, 0);
}

function finished(code: Buffer, kind: bigint, hookAt: number, table: number): Buffer {
  const bytes = Buffer.alloc(STUB_SIZE, 0xcc);
  if (code.length > STUB_END.table) throw new RangeError("a stub that is longer than its place");
  bytes.set(code);
  bytes.writeBigUInt64LE(BigInt(table), STUB_END.table);
  bytes.writeBigUInt64LE(BigInt(hookAt), STUB_END.hook);
  bytes.writeBigUInt64LE(kind, STUB_END.kind);
  return bytes;
}

/**
 * A thread that stands at `offset` of a stub with these bytes goes back to the hook, with all that the stub has saved
 * by then, as if it had not begun. false for what is no stub.
 *
 * @param read memory of the process
 */
export function leaveStub(registers: Registers, bytes: Buffer, offset: number, read: ReadBytes): boolean {
  const kind = bytes.readBigUInt64LE(STUB_END.kind);
  if (kind !== KIND.choose && kind !== KIND.switch) return false;
  const saved = kind === KIND.choose ? [SAVED_R11, SAVED_R10] : [SAVED_R11];
  for (const { register, from, slot } of saved)
    if (offset >= from) read(registers.sp + slot, 8).copy(registers.bytes, REGISTER[register]);
  registers.pc = Number(bytes.readBigUInt64LE(STUB_END.hook));
  return true;
}
