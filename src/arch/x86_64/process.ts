/** Patching running processes on x86-64: System V psABI, Linux. */
import type { CallCode } from "../call-code.ts";
import type { HookAbi } from "../hook-abi.ts";
import type { LoadAbi, SlotKind } from "../load-abi.ts";
import type { ProcessAbi } from "../process-abi.ts";
import { applyRelocation, IMPORT_STUB_SIZE, importStub, relocationValue } from "./apply-relocation.ts";
import { REGISTRATION_SIZE, REGISTRATION_STATE, registrationCode, UNWINDER_OBJECT_SIZE } from "./frame-registration.ts";
import { displace, trampolineCode, trampolineSize } from "./hook-displace.ts";
import { ENDBR64, HOOK_LENGTH, isInReach, jumpCode, jumpTarget } from "./hook-jump.ts";
import { readOpcode } from "./hook-opcode.ts";
import { chooseStub, hashPlace, leaveStub, STUB_SIZE, switchStub } from "./hook-stubs.ts";
import { innerLabels } from "./inner-labels.ts";
import { decodeInstruction } from "./instruction.ts";
import { directCallBefore, linkageSlot } from "./linkage.ts";
import { LINUX_X86_64 } from "./linux.ts";
import { R_X86_64 } from "./relocations.ts";
import { callsBefore, LONGEST_CALL, slotOfCall } from "./return-address.ts";
import { stackFlow } from "./stack-flow.ts";
import { trapHandler } from "./trap-handler.ts";
import { UNWIND_X86_64 } from "./unwind.ts";

/** HWCAP2_FSGSBASE of arch/x86/include/uapi/asm/hwcap2.h: programs may read their thread pointer by an instruction. */
const FSGSBASE = 2;

const hook: HookAbi = {
  hookLength: HOOK_LENGTH,
  mostDisplaced: 16,
  mostLandingPad: ENDBR64.length,
  landingPad: (code) => (code.subarray(0, ENDBR64.length).equals(ENDBR64) ? ENDBR64.length : 0),
  // A displacement of 32 bits.
  reach: 2 ** 31,
  isInReach,
  jump: jumpCode,
  jumpTarget,
  displace,
  trampolineSize,
  trampoline(displacement, start) {
    const { bytes, instructions } = displacement;
    if (instructions.some((at) => decodeInstruction(bytes, at) === undefined))
      throw new RangeError("what is displaced is no instruction");
    return trampolineCode(displacement, start);
  },
  stubSize: STUB_SIZE,
  ...{ chooseStub, switchStub, leaveStub, hashPlace },
  threadPointerSource: (hardware) => ((hardware & FSGSBASE) !== 0 ? "instruction" : "memory"),
  // CET; a program turns it on at its start.
  hasShadowStack: (status) => /^x86_Thread_features:.*\bshstk\b/m.test(status),
  trapHandler,
};

const calls: CallCode = {
  longestCall: LONGEST_CALL,
  ...{ callsBefore, slotOfCall, directCallBefore, linkageSlot, stackFlow, innerLabels },
  hasCalls(code) {
    for (let at = 0; at < code.length; ) {
      const instruction = decodeInstruction(code, at);
      if (instruction === undefined) return true;
      const { kind } = readOpcode(code, at);
      if (kind === "call" || kind === "indirect-call") return true;
      at += instruction.length;
    }
    return false;
  },
};

const SLOT_KINDS: ReadonlyMap<number, SlotKind> = new Map<number, SlotKind>([
  [R_X86_64[64], "pointer"],
  [R_X86_64.COPY, "copy"],
  [R_X86_64.GLOB_DAT, "address"],
  [R_X86_64.JUMP_SLOT, "call"],
  [R_X86_64.DTPMOD64, "module"],
  [R_X86_64.TPOFF64, "threadOffset"],
  [R_X86_64.IRELATIVE, "chosen"],
]);

const load: LoadAbi = {
  addressEnd: 2 ** 47,
  ...{ relocationValue, applyRelocation, importStub },
  importStubSize: IMPORT_STUB_SIZE,
  slotKind: (type) => SLOT_KINDS.get(type),
  // Variant II of ELF Handling For Thread-Local Storage: it ends at the thread pointer.
  threadOffset({ address, memorySize, alignment }) {
    const align = Math.max(1, alignment);
    return address - Math.ceil((address + memorySize) / align) * align;
  },
  registration: {
    size: REGISTRATION_SIZE,
    objectSize: UNWINDER_OBJECT_SIZE,
    state: REGISTRATION_STATE,
    code: registrationCode,
  },
};

/** For programs of 64 bits. */
export const process: ProcessAbi = { linux: LINUX_X86_64, unwind: UNWIND_X86_64, calls, hook, load };
