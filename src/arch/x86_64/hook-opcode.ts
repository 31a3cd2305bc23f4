/** What an instruction does with control, as far as it matters for moving it elsewhere. */
import type { Instruction } from "./instruction.ts";

/** One instruction, by what it may do besides going on to the next one. */
export interface Opcode {
  /** `counted`: loop and jrcxz, which branch by one byte and by a register; `indirect-call`: by a register or by memory. */
  readonly kind: "jump" | "conditional" | "counted" | "call" | "indirect-call" | "system" | "other";
  /** Of a conditional branch: the low four bits of its opcode. */
  readonly condition: number;
  /** Whether the instruction behind it may be the next to run. */
  readonly goesOn: boolean;
  readonly prefixes: readonly number[];
  /** Where its opcode lies, behind all prefixes. */
  readonly opcodeAt: number;
}

const PREFIXES = new Set([0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65]);
const ADDRESS_SIZE = 0x67;
const OPERAND_SIZE = 0x66;
/** Prefixes that mean nothing for a branch by displacement: bnd, and hints. */
const IDLE_PREFIXES = new Set([0xf2, 0x2e, 0x3e]);

/** Of a whole instruction, as `decodeInstruction` found it. */
export function readOpcode(code: Uint8Array, offset: number): Opcode {
  const prefixes: number[] = [];
  let at = offset;
  while (PREFIXES.has(code[at] ?? 0)) prefixes.push(code[at++] as number);
  if (isRex(code[at])) at++;
  const op = code[at] ?? 0;
  const next = code[at + 1] ?? 0;
  const make = (kind: Opcode["kind"], goesOn: boolean, condition = 0): Opcode => ({
    kind,
    condition,
    goesOn,
    prefixes,
    opcodeAt: at,
  });
  if (op === 0xe9 || op === 0xeb) return make("jump", false);
  if (op >= 0x70 && op < 0x80) return make("conditional", true, op & 15);
  if (op >= 0xe0 && op < 0xe4) return make("counted", true);
  if (op === 0x0f && next >= 0x80 && next < 0x90) return make("conditional", true, next & 15);
  if (op === 0xe8) return make("call", true);
  if (op === 0xff) {
    const operation = (next >> 3) & 7;
    if (operation === 2) return make("indirect-call", true);
    // A far call or jump.
    if (operation === 3 || operation === 5) return make("system", operation === 3);
    return make("other", operation !== 4);
  }
  if (op === 0xc3 || op === 0xc2) return make("other", false);
  // ud2, ud1, ud0
  if (op === 0x0f && (next === 0x0b || next === 0xb9 || next === 0xff)) return make("other", false);
  // int, int3, int1, hlt, far returns, sysenter, syscall, sysret
  if (op === 0xcc || op === 0xcd || op === 0xf1 || op === 0xf4 || (op >= 0xca && op <= 0xcf))
    return make("system", false);
  if (op === 0x0f && (next === 0x05 || next === 0x07 || next === 0x34 || next === 0x35)) return make("system", true);
  return make("other", true);
}

/** Why this instruction cannot be moved; undefined where it can. */
export function staysPut(code: Uint8Array, offset: number, instruction: Instruction): string | undefined {
  const { kind, prefixes, opcodeAt } = readOpcode(code, offset);
  if (kind === "system") return "enters the kernel, or leaves the segment";
  if (kind === "indirect-call" && isByStackPointer(code, opcodeAt + 1))
    return "is a call by way of the stack pointer, which a push in its place moves";
  if (instruction.branch !== 0) {
    if (kind === "other") return "is the start of a transaction";
    const isIdle = (prefix: number): boolean =>
      IDLE_PREFIXES.has(prefix) ||
      // Which register counts; to a call by displacement it means nothing, linkers pad with it.
      (prefix === ADDRESS_SIZE && (kind === "counted" || kind === "call")) ||
      (prefix === OPERAND_SIZE && kind === "call" && isWide(code[opcodeAt - 1]));
    if (!prefixes.every(isIdle)) return "is a branch with an odd prefix";
  }
  if (instruction.ripField !== undefined && prefixes.includes(ADDRESS_SIZE))
    return "has an operand relative to the low half of its address";
  return undefined;
}

function isRex(byte: number | undefined): boolean {
  return ((byte ?? 0) & 0xf0) === 0x40;
}

/** REX.W, which counts more than an operand size prefix. */
function isWide(byte: number | undefined): boolean {
  return ((byte ?? 0) & 0xf8) === 0x48;
}

/** Whether the operand of this ModRM byte is the stack pointer, or lies where it points. */
function isByStackPointer(code: Uint8Array, modrmAt: number): boolean {
  const modrm = code[modrmAt] ?? 0;
  if ((modrm & 7) !== 4 || isExtended(code, modrmAt)) return false;
  return modrm >> 6 === 3 || ((code[modrmAt + 1] ?? 0) & 7) === 4;
}

/** REX.B: what else is the stack pointer is r12. */
function isExtended(code: Uint8Array, modrmAt: number): boolean {
  const before = code[modrmAt - 2] ?? 0;
  return isRex(before) && (before & 1) === 1;
}
