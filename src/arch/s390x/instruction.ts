/**
 * Lengths and relative operands of s390x instructions. The two highest bits of the
 * first byte say how long an instruction is; what is relative counts halfwords from
 * the instruction's start, and lies behind its first halfword. Source: IBM
 * z/Architecture Principles of Operation, chapter 5 (lengths, relative addresses) and appendix B.
 */
import type { Instruction } from "../code.ts";

const FIELD = 2;

function lengthOf(first: number): 2 | 4 | 6 {
  return first < 0x40 ? 2 : first < 0xc0 ? 4 : 6;
}

/** The four bits of the opcode that stand behind a register. */
function low(code: Uint8Array, at: number): number {
  return (code[at + 1] as number) & 15;
}

/** Bytes of a relative operand of 16 bits in a branch; the last byte of the longest ones is a part of the opcode. */
function isShortBranch(code: Uint8Array, at: number): boolean {
  switch (code[at]) {
    // brxh, brxle
    case 0x84:
    case 0x85:
      return true;
    // brc, bras, brct, brctg
    case 0xa7: {
      const opcode = low(code, at);
      return opcode >= 4 && opcode <= 7;
    }
    // brxhg, brxlg; compare and branch relative
    case 0xec: {
      const opcode = code[at + 5] as number;
      return opcode === 0x44 || opcode === 0x45 || SHORT_BRANCHES.has(opcode);
    }
    default:
      return false;
  }
}

/** cgrj, clgrj, crj, clrj, cgij, clgij, cij, clij. */
const SHORT_BRANCHES: ReadonlySet<number> = new Set([0x64, 0x65, 0x76, 0x77, 0x7c, 0x7d, 0x7e, 0x7f]);

/** Low half of the second byte behind c0: load address relative long. */
export const LARL = 0;
const BRCL = 4;
/** Low half of the second byte behind c0: branch relative and save long, which is a call. */
export const BRASL = 5;

/** Any bytes of a length that the first of them says are taken for an instruction: no map of the opcodes is kept. */
export function decodeInstruction(code: Uint8Array, at: number, limit = code.length): Instruction | undefined {
  const first = code[at];
  // No instruction begins with a byte of zeros: it is kept for what is to trap.
  if (first === undefined || at >= limit) return undefined;
  const length = lengthOf(first);
  if (at + length > limit) return undefined;
  if (length > 2 && isShortBranch(code, at)) return { length, field: FIELD, branch: 2 };
  if (first === 0xc0) {
    const opcode = low(code, at);
    if (opcode === BRCL || opcode === BRASL) return { length, field: FIELD, branch: 4 };
    return { length, field: opcode === LARL ? FIELD : undefined, branch: 0 };
  }
  // brcth
  if (first === 0xcc && low(code, at) === 6) return { length, field: FIELD, branch: 4 };
  // Loads, stores, comparisons, prefetching and execution of what lies at a relative place; bpp names a place that is not gone to.
  if (first === 0xc4 || first === 0xc6) return { length, field: FIELD, branch: 0 };
  return { length, field: undefined, branch: 0 };
}
