/**
 * What an instruction works on: its opcode, registers and memory operand.
 * Source of the encoding: Intel SDM volume 2, chapter 2.
 */
import { decodeInstruction } from "./instruction.ts";

/** Numbers of general registers, as they are encoded. */
export const GPR = { rax: 0, rcx: 1, rdx: 2, rbx: 3, rsp: 4, rbp: 5, rsi: 6, rdi: 7, r8: 8, r9: 9, r10: 10, r11: 11 };

/** An operand in memory: base + index times scale + displacement; the scale does not matter to anybody here. */
export interface MemoryOperand {
  /** General registers; neither is there for an absolute or RIP-relative operand. */
  readonly base: number | undefined;
  readonly index: number | undefined;
  /** Bytes; undefined for one that is counted in units of what the instruction moves (EVEX's disp8*N). */
  readonly displacement: number | undefined;
  readonly isRipRelative: boolean;
  /** Relative to fs or gs: the memory of a thread or a processor. */
  readonly isOfSegment: boolean;
  /** Where in the code its 4-byte displacement lies; undefined where it has none. */
  readonly field: number | undefined;
}

/** One instruction, taken apart. `code` and `at` are where it was found. */
export interface Parts {
  readonly code: Buffer;
  readonly at: number;
  readonly length: number;
  /** 0 for one-byte opcodes, 1 behind 0f, 2 behind 0f 38, 3 behind 0f 3a. */
  readonly map: number;
  readonly opcode: number;
  readonly isVex: boolean;
  /** In front of the instruction, or what stands for it in a VEX or EVEX prefix. */
  readonly prefix: 0 | 0xf2 | 0xf3;
  /** The register that a VEX or EVEX prefix names (vvvv); undefined without one. */
  readonly third: number | undefined;
  readonly hasOperandPrefix: boolean;
  /** Of a general operand, bytes: 8, 4 or 2; what has byte operands is told by the opcode. */
  readonly width: 2 | 4 | 8;
  /** ModRM.reg with its extension; without, the opcode's extension. Of an instruction with no ModRM both are 0. */
  readonly reg: number;
  readonly extension: number;
  /** ModRM.rm, where it is a register. */
  readonly rm: number | undefined;
  readonly memory: MemoryOperand | undefined;
  /** The register in the low three bits of the opcode. */
  readonly low: number;
  /** Where what stands behind ModRM and displacement begins: an immediate, or a branch's displacement. */
  readonly immediate: number;
  /** Size of a relative branch's displacement; 0 for what is none. */
  readonly branch: 0 | 1 | 4;
}

/** undefined where the bytes are no instruction. */
export function decodeParts(code: Buffer, offset: number): Parts | undefined {
  const instruction = decodeInstruction(code, offset);
  if (instruction === undefined) return undefined;
  const { length, branch } = instruction;
  let at = offset;
  let prefix: Parts["prefix"] = 0;
  let hasOperandPrefix = false;
  let isOfSegment = false;
  for (; PREFIXES.has(code[at] as number); at++) {
    const byte = code[at] as number;
    if (byte === 0xf2 || byte === 0xf3) prefix = byte;
    else if (byte === 0x66) hasOperandPrefix = true;
    else if (byte === 0x64 || byte === 0x65) isOfSegment = true;
  }
  let rex = 0;
  if (((code[at] as number) & 0xf0) === 0x40) rex = code[at++] as number;
  let map = 0;
  const isVex = isVexPrefix(code[at] as number);
  let isEvex = false;
  let third: number | undefined;
  if (isVex) {
    const first = code[at] as number;
    const second = code[at + 1] as number;
    map = first === 0xc5 ? 1 : second & (first === 0x62 ? 7 : 0x1f);
    // The bits that extend registers are kept inverted.
    rex = first === 0xc5 ? (~second >> 5) & 4 : (~second >> 5) & 7;
    isEvex = first === 0x62;
    const last = first === 0xc5 ? second : (code[at + 2] as number);
    if (first !== 0xc5 && (last & 0x80) !== 0) rex |= 8;
    third = (~last >> 3) & 15;
    prefix = IMPLIED_PREFIXES[last & 3] as Parts["prefix"];
    at += first === 0xc5 ? 2 : first === 0xc4 ? 3 : 4;
  } else if (code[at] === 0x0f) {
    at++;
    map = code[at] === 0x38 ? 2 : code[at] === 0x3a ? 3 : 1;
    if (map > 1) at++;
  }
  const opcode = code[at] as number;
  const common = { code, at: offset, length, map, opcode, isVex, prefix, third, hasOperandPrefix, branch };
  const width = (rex & 8) !== 0 ? 8 : hasOperandPrefix ? 2 : 4;
  const low = (opcode & 7) | ((rex & 1) << 3);
  if (instruction.modrm === undefined)
    return { ...common, width, reg: 0, extension: 0, rm: undefined, memory: undefined, low, immediate: at + 1 };
  const place = offset + instruction.modrm;
  const modrm = code[place] as number;
  const extension = (modrm >> 3) & 7;
  const reg = extension | ((rex & 4) << 1);
  if (modrm >> 6 === 3) {
    const rm = (modrm & 7) | ((rex & 1) << 3);
    return { ...common, width, reg, extension, rm, memory: undefined, low, immediate: place + 1 };
  }
  const { memory, end } = memoryOperand(code, place, rex, isOfSegment);
  const isScaled = isEvex && modrm >> 6 === 1;
  const operand = isScaled ? { ...memory, displacement: undefined } : memory;
  return { ...common, width, reg, extension, rm: undefined, memory: operand, low, immediate: end };
}

const PREFIXES = new Set([0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65]);

/** By the two low bits of a VEX or EVEX prefix; the operand size prefix among them says nothing of general operands. */
const IMPLIED_PREFIXES = [0, 0, 0xf3, 0xf2] as const;

function isVexPrefix(byte: number): boolean {
  return byte === 0xc4 || byte === 0xc5 || byte === 0x62;
}

function memoryOperand(
  code: Buffer,
  place: number,
  rex: number,
  isOfSegment: boolean,
): { readonly memory: MemoryOperand; readonly end: number } {
  const modrm = code[place] as number;
  const mod = modrm >> 6;
  let at = place + 1;
  let base: number | undefined = (modrm & 7) | ((rex & 1) << 3);
  let index: number | undefined;
  let isRipRelative = false;
  let isLong = mod === 2;
  if ((modrm & 7) === 4) {
    const sib = code[at++] as number;
    const scaled = ((sib >> 3) & 7) | ((rex & 2) << 2);
    if (scaled !== GPR.rsp) index = scaled;
    base = (sib & 7) | ((rex & 1) << 3);
    if (mod === 0 && (sib & 7) === 5) {
      base = undefined;
      isLong = true;
    }
  } else if (mod === 0 && (modrm & 7) === 5) {
    base = undefined;
    isRipRelative = true;
    isLong = true;
  }
  const field = isLong ? at : undefined;
  const displacement = isLong ? code.readInt32LE(at) : mod === 1 ? code.readInt8(at) : 0;
  const end = at + (isLong ? 4 : mod === 1 ? 1 : 0);
  return { memory: { base, index, displacement, isRipRelative, isOfSegment, field }, end };
}
