/** Where a function's code may lead without a return, and whether it takes a stack pointer from elsewhere, as what switches stacks has to. */
import type { StackFlow } from "../call-code.ts";
import { decodeParts, GPR, type Parts } from "./instruction-parts.ts";

const MOV_TO = 0x89;
const MOV_FROM = 0x8b;
const XCHG = 0x87;
const LEA = 0x8d;
const POP = 0x58;
const POP_MEMORY = 0x8f;
const XCHG_RAX = 0x90;
const GROUP_5 = 0xff;
const JUMP = 4;
const CALL = 0xe8;

/** @param base address of the code's first byte */
export function stackFlow(code: Buffer, base: number): StackFlow {
  const leads: number[] = [];
  const slots: number[] = [];
  const jumps: number[] = [];
  let mayLoad = false;
  for (let at = 0; at < code.length; ) {
    const parts = decodeParts(code, at);
    if (parts === undefined) return { mayLoad: true, leads, slots, jumps };
    const next = base + at + parts.length;
    if (loadsStackPointer(parts)) mayLoad = true;
    if (parts.branch !== 0 && !isCall(parts)) {
      const offset = parts.branch === 1 ? code.readInt8(parts.immediate) : code.readInt32LE(parts.immediate);
      const target = next + offset;
      if (target < base || target >= base + code.length) leads.push(target);
    } else if (isOneByte(parts, GROUP_5) && parts.extension === JUMP) {
      const { isRipRelative = false, displacement } = parts.memory ?? {};
      if (isRipRelative && displacement !== undefined) slots.push(next + displacement);
      else jumps.push(base + at);
    }
    at += parts.length;
  }
  return { mayLoad, leads, slots, jumps };
}

function loadsStackPointer(parts: Parts): boolean {
  const { reg, rm, memory, low } = parts;
  if (parts.map !== 0 || parts.isVex) return false;
  switch (parts.opcode) {
    case MOV_TO:
      return rm === GPR.rsp && !isOfStack(reg);
    case MOV_FROM:
      return reg === GPR.rsp && (rm === undefined || !isOfStack(rm));
    case XCHG:
      return reg === GPR.rsp || rm === GPR.rsp;
    case LEA:
      return reg === GPR.rsp && !isOfStack(memory?.base);
    case POP_MEMORY:
      return rm === GPR.rsp;
    default: {
      const family = parts.opcode & ~7;
      return (family === POP || family === XCHG_RAX) && low === GPR.rsp;
    }
  }
}

/** A frame pointer holds what the stack pointer was. */
function isOfStack(register: number | undefined): boolean {
  return register === GPR.rsp || register === GPR.rbp;
}

function isCall(parts: Parts): boolean {
  return isOneByte(parts, CALL);
}

function isOneByte(parts: Parts, opcode: number): boolean {
  return parts.map === 0 && !parts.isVex && parts.opcode === opcode;
}
