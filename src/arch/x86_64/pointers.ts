import type { Outcome, PointerFlow } from "../pointer-flow.ts";
import { decodeParts, GPR, type Parts } from "./instruction-parts.ts";
import { loaded, step } from "./pointer-step.ts";

const { rax, rcx, rdx, rsp, rsi, rdi, r8, r9, r10, r11 } = GPR;
const INDIRECT = /^__x86_indirect_(?:call_|jump_)?thunk_(\w+)$/;
const THUNK_REGISTERS = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split(" ");

const NEXT: Outcome = { kind: "next" };
const RETURN: Outcome = { kind: "return" };
const STOP: Outcome = { kind: "stop" };
const SYSTEM: Outcome = { kind: "system" };
const LOST: Outcome = { kind: "lost" };

/** Sources: the psABI's calling convention; the kernel's asm/ for names of code with a convention of its own. */
export const pointers: PointerFlow = {
  registers: 16,
  stackPointer: rsp,
  arguments: [rdi, rsi, rdx, rcx, r8, r9],
  alsoPassed: [r10],
  clobbered: [rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11],
  results: [rax, rdx],
  preserving:
    /^(__fentry__|__get_user_|__put_user_|copy_user_|clear_user_|clear_page|__sw_hweight|pv_ops$|__raw_callee_save_|__SCT__preempt|preempt_schedule.*thunk|__SCT__(cond_resched|might_resched)|.*_emu$|asm_|native_)/,
  returning: /^(__x86_return_thunk|srso_(alias_)?return_thunk|retbleed_return_thunk|its_return_thunk)$/,
  thunk(name) {
    const through = INDIRECT.exec(name)?.[1];
    return through === undefined ? undefined : { register: THUNK_REGISTERS.indexOf(through) };
  },
  decode: decodeParts,
  outcome(parts: Parts) {
    const { map, opcode, extension, branch } = parts;
    if (branch !== 0) return branchOf(parts);
    if (map === 1) return opcode === 0x05 ? SYSTEM : NEXT;
    if (map !== 0) return NEXT;
    switch (opcode) {
      case 0xc2:
      case 0xc3:
        return RETURN;
      case 0xcc:
      case 0xca:
      case 0xcb:
      case 0xcf:
        return STOP;
      // enter
      case 0xc8:
        return LOST;
      case 0xcd:
        return SYSTEM;
      case 0xff:
        if (extension === 2) return { kind: "indirect-call", slot: slotOf(parts) };
        if (extension === 4) return { kind: "indirect-jump", slot: slotOf(parts) };
        return NEXT;
      default:
        return NEXT;
    }
  },
  isFiller: ({ map, opcode, prefix }: Parts) =>
    map === 0 ? opcode === 0xcc || (opcode === 0x90 && prefix === 0) : opcode === 0x1f || opcode === 0x0b,
  relativeOperand({ memory, at, length }: Parts) {
    if (memory?.isRipRelative !== true) return undefined;
    const { field, displacement } = memory;
    // A relative operand has all its 4 bytes.
    return field === undefined || displacement === undefined ? undefined : { field, to: at + length + displacement };
  },
  step,
  loaded,
};

function branchOf({ code, map, opcode, at, length, branch }: Parts): Outcome {
  const field = at + length - branch;
  const isCall = map === 0 && opcode === 0xe8;
  return {
    kind: "branch",
    field,
    to: at + length + (branch === 1 ? code.readInt8(field) : code.readInt32LE(field)),
    isCall,
    isConditional: !isCall && !(map === 0 && (opcode === 0xe9 || opcode === 0xeb)),
  };
}

/** The field of a memory operand with no register. */
function slotOf({ memory }: Parts): number | undefined {
  return memory?.base === undefined && memory?.index === undefined ? memory?.field : undefined;
}
