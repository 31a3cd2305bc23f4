/**
 * What a relocated field of shipped code refers to, whatever the linker made
 * of the instruction. Source: System V psABI for x86-64, appendix B.2 (GOTPCRELX)
 * and "ELF Handling For Thread-Local Storage", 5.5.
 */
import { R_X86_64 } from "../../../arch/x86_64/relocations.ts";
import type { ShippedProgram, SlotTarget } from "../shipped/shipped-program.ts";
import type { PlainReference } from "./plain-object.ts";

/** What the linked field says of the symbol that the object's relocation names. */
export type FieldValue =
  /** The symbol's address, the addend taken off; or its offset in thread-local storage. */
  | { readonly kind: "place"; readonly at: number }
  | { readonly kind: "thread"; readonly offset: number }
  /** By a word that the dynamic linker fills in. */
  | { readonly kind: "slot"; readonly target: SlotTarget }
  /** It says nothing of its symbol. */
  | { readonly kind: "nothing" }
  /** It cannot be what the linker made of this field. */
  | { readonly kind: "wrong" };

const WRONG: FieldValue = { kind: "wrong" };

/** @param at address of the field @param own the original's bytes of the section */
export function readField(reference: PlainReference, at: number, own: Buffer, shipped: ShippedProgram): FieldValue {
  const { type, addend, offset } = reference;
  const word = shipped.bytes(at, 4);
  if (word === undefined) return WRONG;
  const value = word.readInt32LE(0);
  switch (type) {
    case R_X86_64.PC32:
    case R_X86_64.PLT32:
      return { kind: "place", at: at + value - addend };
    case R_X86_64[32]:
      return { kind: "place", at: word.readUInt32LE(0) - addend };
    case R_X86_64["32S"]:
      return { kind: "place", at: value - addend };
    case R_X86_64.PC64: {
      const wide = shipped.bytes(at, 8);
      return wide === undefined ? WRONG : { kind: "place", at: at + Number(wide.readBigInt64LE(0)) - addend };
    }
    case R_X86_64[64]:
      return readWord(at, addend, shipped);
    case R_X86_64.GOTPCREL:
      return slotAt(at + value - addend, shipped);
    case R_X86_64.GOTPCRELX:
    case R_X86_64.REX_GOTPCRELX:
      return readRelaxable(reference, at, own, shipped);
    case R_X86_64.TPOFF32:
      return { kind: "thread", offset: value - addend + shipped.threadSize };
    case R_X86_64.DTPOFF32:
      // Where the executable's own storage is meant, the linker counts from the thread pointer.
      return { kind: "thread", offset: value < 0 ? value - addend + shipped.threadSize : value - addend };
    case R_X86_64.GOTTPOFF:
      if (isSame(own, offset - 3, shipped.bytes(at - 3, 3))) return slotAt(at + value - addend, shipped);
      return { kind: "thread", offset: value + shipped.threadSize };
    case R_X86_64.TLSGD:
      return readGeneralDynamic(reference, at, own, shipped);
    case R_X86_64.TLSLD:
      return { kind: "nothing" };
    default:
      return WRONG;
  }
}

/** A whole address in data, which the dynamic linker may have to fill in. */
function readWord(at: number, addend: number, shipped: ShippedProgram): FieldValue {
  const target = shipped.slot(at);
  if (target === undefined) return WRONG;
  if (target.kind === "place") return { kind: "place", at: target.at - addend };
  return { kind: "slot", target: target.kind === "name" ? { ...target, offset: target.offset - addend } : target };
}

function readRelaxable(
  { offset, addend }: PlainReference,
  at: number,
  own: Buffer,
  shipped: ShippedProgram,
): FieldValue {
  const value = shipped.bytes(at, 4)?.readInt32LE(0) ?? 0;
  const before = shipped.bytes(at - 2, 2);
  if (before === undefined) return WRONG;
  if (isSame(own, offset - 2, before)) return slotAt(at + value - addend, shipped);
  const [opcode, modrm] = [own[offset - 2], own[offset - 1] ?? 0];
  if (opcode === 0xff && modrm === 0x25) {
    // jmp, one byte shorter, and a filler behind it.
    const jump = shipped.bytes(at - 1, 4);
    return before[0] === 0xe9 && jump !== undefined ? { kind: "place", at: at - 1 + jump.readInt32LE(0) + 4 } : WRONG;
  }
  if (opcode === 0xff && modrm === 0x15) {
    return before[1] === 0xe8 ? { kind: "place", at: at + value - addend } : WRONG;
  }
  if (before[0] === 0x8d && before[1] === modrm) return { kind: "place", at: at + value - addend };
  // An immediate operand, where addresses are known when linking.
  if (before[0] === 0xc7 || before[0] === 0x81 || before[0] === 0xf7) return { kind: "place", at: value - addend - 4 };
  return WRONG;
}

function readGeneralDynamic(
  { offset, addend }: PlainReference,
  at: number,
  own: Buffer,
  shipped: ShippedProgram,
): FieldValue {
  const code = shipped.bytes(at - 4, 16);
  if (code === undefined) return WRONG;
  if (isSame(own, offset - 4, code.subarray(0, 4))) {
    const pair = at + code.readInt32LE(4) - addend;
    const [module, within] = [shipped.slot(pair), shipped.slot(pair + 8)];
    if (module?.kind !== "thread") return WRONG;
    if (module.name !== "") return { kind: "slot", target: module };
    // Where the offset is known when linking, the word holds it.
    return { kind: "thread", offset: within?.kind === "place" ? within.at : module.offset };
  }
  if (code.readUInt32LE(0) !== 0x048b4864) return WRONG;
  const value = code.readInt32LE(12);
  if (code[10] === 0x8d) return { kind: "thread", offset: value + shipped.threadSize };
  return code[10] === 0x03 ? slotAt(at + 8 + 4 + value, shipped) : WRONG;
}

function slotAt(at: number, shipped: ShippedProgram): FieldValue {
  const target = shipped.slot(at);
  return target === undefined ? WRONG : { kind: "slot", target };
}

function isSame(own: Buffer, from: number, shipped: Buffer | undefined): boolean {
  return shipped !== undefined && own.compare(shipped, 0, shipped.length, from, from + shipped.length) === 0;
}
