/**
 * One displaced instruction as it lies in a trampoline: it does there what the
 * original does at its own place.
 *
 * A call has to come back to the original's code, as its callee, unwinders and
 * debuggers know it: in place of it, the address behind the original is pushed
 * from a word at the trampoline's end, and the callee is jumped to. No register and
 * no flag is touched.
 */
import { jumpCode } from "./hook-jump.ts";
import { readOpcode } from "./hook-opcode.ts";
import type { Instruction } from "./instruction.ts";

/** The bytes that stand for one instruction at its new place; they may be more than the original's. */
export interface MovedInstruction {
  readonly bytes: Buffer;
  /** Of a call: from this offset on its return address is on the stack, and it has not jumped yet. */
  readonly pushedAt: number | undefined;
}

/** push disp32(%rip) */
const PUSH_SIZE = 6;
/** loop +2; jmp +5; jmp rel32 */
const SHORT_BRANCH_SIZE = 9;
const CONDITIONAL_SIZE = 6;
const JUMP_SIZE = 5;

/** Of the word that a moved call pushes. */
export const RETURN_WORD_SIZE = 8;

/** Size of the instruction in a trampoline; that of the word which a call pushes is not in it. */
export function movedSize(code: Buffer, at: number, { length }: Instruction): number {
  const { kind } = readOpcode(code, at);
  switch (kind) {
    case "jump":
      return JUMP_SIZE;
    case "conditional":
      return CONDITIONAL_SIZE;
    case "counted":
      return SHORT_BRANCH_SIZE;
    case "call":
      return PUSH_SIZE + JUMP_SIZE;
    case "indirect-call":
      return PUSH_SIZE + length;
    default:
      return length;
  }
}

/** Addresses. */
export interface Move {
  /** Of the code that the instruction is in. */
  readonly from: number;
  /** Where the instruction will lie. */
  readonly to: number;
  /** Of the word that holds what a call pushes. */
  readonly returnWord: number;
}

/**
 * Throws RangeError where an operand is out of reach from there.
 */
export function moveInstruction(
  code: Buffer,
  at: number,
  instruction: Instruction,
  { from, to, returnWord }: Move,
): MovedInstruction {
  const { length } = instruction;
  const opcode = readOpcode(code, at);
  const target = branchTarget(code, at + length, from, instruction);
  switch (opcode.kind) {
    case "jump":
      return still(jumpCode(to, target as number));
    case "conditional": {
      const moved = Buffer.from([0x0f, 0x80 | opcode.condition, 0, 0, 0, 0]);
      moved.writeInt32LE((target as number) - (to + moved.length), 2);
      return still(moved);
    }
    case "counted": {
      const short = Buffer.from(code.subarray(at, at + length));
      short[length - 1] = 2;
      const skip = Buffer.from([0xeb, JUMP_SIZE]);
      const jump = jumpCode(to + length + skip.length, target as number);
      return still(Buffer.concat([short, skip, jump]));
    }
    case "call":
      return pushing(returnWord, to, jumpCode(to + PUSH_SIZE, target as number));
    case "indirect-call": {
      const jump = atPlace(code, at, instruction, to + PUSH_SIZE - from);
      const modrm = opcode.opcodeAt - at + 1;
      // FF /2 calls, FF /4 jumps.
      jump[modrm] = ((jump[modrm] as number) & ~0x38) | (4 << 3);
      return pushing(returnWord, to, jump);
    }
    default:
      return still(atPlace(code, at, instruction, to - from));
  }
}

/** @param end of the instruction in `bytes`, which lie at `start`; undefined for what does not branch by a displacement */
export function branchTarget(bytes: Buffer, end: number, start: number, { branch }: Instruction): number | undefined {
  if (branch === 0) return undefined;
  const by = branch === 1 ? bytes.readInt8(end - 1) : bytes.readInt32LE(end - 4);
  return start + end + by;
}

/** @param place where it will lie, counted from the start of `code` */
function atPlace(code: Buffer, at: number, { length, ripField }: Instruction, place: number): Buffer {
  const moved = Buffer.from(code.subarray(at, at + length));
  if (ripField !== undefined) moved.writeInt32LE(moved.readInt32LE(ripField) + at - place, ripField);
  return moved;
}

function pushing(returnWord: number, to: number, jump: Buffer): MovedInstruction {
  const push = Buffer.from([0xff, 0x35, 0, 0, 0, 0]);
  push.writeInt32LE(returnWord - (to + PUSH_SIZE), 2);
  return { bytes: Buffer.concat([push, jump]), pushedAt: PUSH_SIZE };
}

function still(bytes: Buffer): MovedInstruction {
  return { bytes, pushedAt: undefined };
}
