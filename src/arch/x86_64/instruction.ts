/**
 * Lengths of x86-64 instructions, in 64-bit mode. Only what live patching
 * needs: where an instruction ends, whether it branches by a relative
 * displacement, and where it has a RIP-relative operand. Source of the
 * encoding: Intel SDM volume 2, chapter 2 and the opcode maps of appendix A.
 */

/** An instruction's measures, and nothing of what it does. */
export interface Instruction extends AnyInstruction {
  /** A branch (jmp, jcc, call, loop, xbegin) by a displacement: its size in bytes, at the instruction's end; 0 otherwise. */
  readonly branch: 0 | 1 | 4;
  /** Where in the instruction the 4-byte displacement of a RIP-relative operand lies; undefined where it has none. */
  readonly ripField: number | undefined;
  /** Where in the instruction its ModRM byte lies; undefined where it has none. */
  readonly modrm: number | undefined;
}

const NONE = 0;
const MODRM = 1;
const IMM8 = 2;
const IMM16 = 4;
/** 4 bytes, 2 with an operand size prefix. */
const IMMZ = 8;
/** 8 bytes with REX.W, else as IMMZ. */
const IMMV = 16;
/** An address of 8 bytes, 4 with an address size prefix. */
const MOFFS = 32;
const BRANCH8 = 64;
const BRANCH32 = 128;
const INVALID = 256;

function oneByteMap(): Uint16Array {
  const map = new Uint16Array(256);
  for (let row = 0; row < 0x40; row += 8) {
    for (let i = 0; i < 4; i++) map[row + i] = MODRM;
    map[row + 4] = IMM8;
    map[row + 5] = IMMZ;
    map[row + 6] = INVALID;
    map[row + 7] = INVALID;
  }
  for (const op of [0x60, 0x61, 0x82, 0x9a, 0xce, 0xd4, 0xd5, 0xd6, 0xea, 0x37, 0x3f, 0x27, 0x2f]) map[op] = INVALID;
  map[0x63] = MODRM;
  map[0x68] = IMMZ;
  map[0x69] = MODRM | IMMZ;
  map[0x6a] = IMM8;
  map[0x6b] = MODRM | IMM8;
  for (let op = 0x70; op < 0x80; op++) map[op] = BRANCH8;
  map[0x80] = MODRM | IMM8;
  map[0x81] = MODRM | IMMZ;
  map[0x83] = MODRM | IMM8;
  for (let op = 0x84; op < 0x90; op++) map[op] = MODRM;
  for (let op = 0xa0; op < 0xa4; op++) map[op] = MOFFS;
  map[0xa8] = IMM8;
  map[0xa9] = IMMZ;
  for (let op = 0xb0; op < 0xb8; op++) map[op] = IMM8;
  for (let op = 0xb8; op < 0xc0; op++) map[op] = IMMV;
  map[0xc0] = MODRM | IMM8;
  map[0xc1] = MODRM | IMM8;
  map[0xc2] = IMM16;
  map[0xc6] = MODRM | IMM8;
  map[0xc7] = MODRM | IMMZ;
  map[0xc8] = IMM16 | IMM8;
  map[0xca] = IMM16;
  map[0xcd] = IMM8;
  for (let op = 0xd0; op < 0xd4; op++) map[op] = MODRM;
  for (let op = 0xd8; op < 0xe0; op++) map[op] = MODRM;
  for (let op = 0xe0; op < 0xe4; op++) map[op] = BRANCH8;
  for (let op = 0xe4; op < 0xe8; op++) map[op] = IMM8;
  map[0xe8] = BRANCH32;
  map[0xe9] = BRANCH32;
  map[0xeb] = BRANCH8;
  map[0xf6] = MODRM;
  map[0xf7] = MODRM;
  map[0xfe] = MODRM;
  map[0xff] = MODRM;
  return map;
}

/** The map behind the byte 0x0f. */
function twoByteMap(): Uint16Array {
  const map = new Uint16Array(256).fill(MODRM);
  for (const op of [0x05, 0x06, 0x07, 0x08, 0x09, 0x0b, 0x0e, 0x77, 0xa0, 0xa1, 0xa2, 0xa8, 0xa9, 0xaa]) map[op] = NONE;
  for (let op = 0x30; op < 0x38; op++) map[op] = NONE;
  for (let op = 0xc8; op < 0xd0; op++) map[op] = NONE;
  for (const op of [0x04, 0x0a, 0x0c, 0x24, 0x25, 0x26, 0x27, 0x39, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f]) map[op] = INVALID;
  for (const op of [0x70, 0x71, 0x72, 0x73, 0xa4, 0xac, 0xba, 0xc2, 0xc4, 0xc5, 0xc6, 0x0f]) map[op] = MODRM | IMM8;
  for (let op = 0x80; op < 0x90; op++) map[op] = BRANCH32;
  return map;
}

const ONE_BYTE = oneByteMap();
const TWO_BYTE = twoByteMap();
/** Intel SDM: an instruction is at most 15 bytes long. */
const LONGEST = 15;

/** Bytes of SIB and displacement that a ModRM byte at `at` calls for, itself included; -1 past the end. */
function modrmLength(code: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  const modrm = code[at] as number;
  const mod = modrm >> 6;
  const rm = modrm & 7;
  if (mod === 3) return 1;
  let length = 1;
  let base = rm;
  if (rm === 4) {
    if (at + 1 >= end) return -1;
    base = (code[at + 1] as number) & 7;
    length++;
  }
  if (mod === 1) return length + 1;
  if (mod === 2) return length + 4;
  return base === 5 ? length + 4 : length;
}

/**
 * The instruction at `offset`; `undefined` where the bytes are none, or end
 * before it does.
 */
export function decodeInstruction(code: Uint8Array, offset: number, limit = code.length): Instruction | undefined {
  const end = Math.min(limit, offset + LONGEST);
  let at = offset;
  let operand16 = false;
  let address32 = false;
  let rexW = false;
  let op = 0;
  for (; ; at++) {
    if (at >= end) return undefined;
    op = code[at] as number;
    if (op === 0x66) operand16 = true;
    else if (op === 0x67) address32 = true;
    else if (
      op !== 0xf0 &&
      op !== 0xf2 &&
      op !== 0xf3 &&
      op !== 0x2e &&
      op !== 0x36 &&
      op !== 0x3e &&
      op !== 0x26 &&
      op !== 0x64 &&
      op !== 0x65
    )
      break;
  }
  if ((op & 0xf0) === 0x40) {
    rexW = (op & 8) !== 0;
    at++;
    if (at >= end) return undefined;
    op = code[at] as number;
  }
  let form: number;
  if (op === 0x0f) {
    at++;
    if (at >= end) return undefined;
    op = code[at] as number;
    if (op === 0x38 || op === 0x3a) {
      form = op === 0x38 ? MODRM : MODRM | IMM8;
      at++;
      if (at >= end) return undefined;
    } else form = TWO_BYTE[op] as number;
    at++;
  } else if (op === 0xc4 || op === 0xc5 || op === 0x62) {
    // VEX and EVEX: in 64-bit mode these opcodes are always prefixes.
    const prefix = op === 0xc5 ? 2 : op === 0xc4 ? 3 : 4;
    if (at + prefix >= end) return undefined;
    const map = op === 0xc5 ? 1 : (code[at + 1] as number) & (op === 0x62 ? 7 : 0x1f);
    const opcode = code[at + prefix] as number;
    at += prefix + 1;
    form = map === 3 ? MODRM | IMM8 : map === 1 ? (TWO_BYTE[opcode] as number) & ~(BRANCH32 | INVALID) : MODRM;
    if (op === 0x62) {
      // A compressed 8-bit displacement has the length of a plain one.
      form |= MODRM;
    }
  } else {
    form = ONE_BYTE[op] as number;
    at++;
    if ((op === 0xf6 || op === 0xf7) && at < end && ((code[at] as number) & 0x38) < 0x10)
      form |= op === 0xf6 ? IMM8 : IMMZ;
    // xbegin, which has its opcode in common with mov.
    if (op === 0xc7 && at < end && code[at] === 0xf8 && !operand16) form = MODRM | BRANCH32;
  }
  if (form & INVALID) return undefined;
  let ripField: number | undefined;
  let modrm: number | undefined;
  if (form & MODRM) {
    modrm = at - offset;
    const length = modrmLength(code, at, end);
    if (length < 0) return undefined;
    if (((code[at] as number) & 0xc7) === 0x05) ripField = at + 1 - offset;
    at += length;
  }
  if (form & IMM8) at += 1;
  if (form & IMM16) at += 2;
  if (form & IMMZ) at += operand16 ? 2 : 4;
  if (form & IMMV) at += rexW ? 8 : operand16 ? 2 : 4;
  if (form & MOFFS) at += address32 ? 4 : 8;
  let branch: 0 | 1 | 4 = 0;
  if (form & BRANCH8) {
    at += 1;
    branch = 1;
  } else if (form & BRANCH32) {
    at += 4;
    branch = 4;
  }
  if (at > end) return undefined;
  const length = at - offset;
  return { length, field: branch === 0 ? ripField : length - branch, branch, ripField, modrm };
}

import type { Instruction as AnyInstruction } from "../code.ts";
