/** What an instruction does with control, as far as it matters for moving it elsewhere. */
import type { Instruction } from "./instruction.ts";

export interface Opcode {
  readonly kind: "jump" | "conditional" | "call" | "system" | "other";
  /** Of a conditional branch: the low four bits of its opcode. */
  readonly condition: number;
  /** Whether the instruction behind it may be the next to run. */
  readonly goesOn: boolean;
  readonly prefixes: readonly number[];
}

const PREFIXES = new Set([0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65]);
const ADDRESS_SIZE = 0x67;
/** Prefixes that mean nothing for a branch by displacement: bnd, and hints. */
const IDLE_PREFIXES = new Set([0xf2, 0x2e, 0x3e]);

/** Of a whole instruction, as `decodeInstruction` found it. */
export function readOpcode(code: Uint8Array, offset: number): Opcode {
  const prefixes: number[] = [];
  let at = offset;
  while (PREFIXES.has(code[at] ?? 0)) prefixes.push(code[at++] as number);
  if (((code[at] ?? 0) & 0xf0) === 0x40) at++;
  const op = code[at] ?? 0;
  const next = code[at + 1] ?? 0;
  const make = (kind: Opcode["kind"], goesOn: boolean, condition = 0): Opcode => ({
    kind,
    condition,
    goesOn,
    prefixes,
  });
  if (op === 0xe9 || op === 0xeb) return make("jump", false);
  if (op >= 0x70 && op < 0x80) return make("conditional", true, op & 15);
  if (op === 0x0f && next >= 0x80 && next < 0x90) return make("conditional", true, next & 15);
  if (op === 0xe8) return make("call", true);
  if (op === 0xff) {
    const operation = (next >> 3) & 7;
    if (operation === 2 || operation === 3) return make("call", true);
    return make("other", operation !== 4 && operation !== 5);
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
  const { kind, prefixes } = readOpcode(code, offset);
  if (kind === "call") return "is a call, which would return into the trampoline";
  if (kind === "system") return "enters the kernel";
  if (instruction.branch !== 0) {
    if (kind !== "jump" && kind !== "conditional") return "is a branch that only reaches 127 bytes";
    if (prefixes.some((prefix) => !IDLE_PREFIXES.has(prefix))) return "is a branch with an odd prefix";
  }
  if (instruction.ripField !== undefined && prefixes.includes(ADDRESS_SIZE))
    return "has an operand relative to the low half of its address";
  return undefined;
}
