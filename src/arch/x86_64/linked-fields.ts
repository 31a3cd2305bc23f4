/**
 * Source: System V psABI for x86-64, table 4.9, appendix B.2 (GOTPCRELX), and "ELF
 * Handling For Thread-Local Storage", 5.5.
 */
import type { DynamicKind, FieldValue, LinkedFields, LinkedFile, PlainReference } from "../linked-fields.ts";
import { ENDBR64 } from "./hook-jump.ts";
import { isPadding } from "./hook-padding.ts";
import { R_X86_64, relocationSize } from "./relocations.ts";

/** Relocations of linked files alone. */
const R_LINKED = { GLOB_DAT: 6, JUMP_SLOT: 7, RELATIVE: 8, IRELATIVE: 37 };

const DYNAMIC: ReadonlyMap<number, DynamicKind> = new Map<number, DynamicKind>([
  [R_LINKED.RELATIVE, "own"],
  [R_LINKED.IRELATIVE, "chosen"],
  [R_LINKED.GLOB_DAT, "name"],
  [R_LINKED.JUMP_SLOT, "name"],
  [R_X86_64[64], "pointer"],
  [R_X86_64.TPOFF64, "thread"],
  [R_X86_64.DTPOFF64, "thread"],
  [R_X86_64.DTPMOD64, "module"],
]);

/** Programs and libraries. */
export const linked: LinkedFields = {
  written,
  readField,
  dynamicKind: (type) => DYNAMIC.get(type),
  stubSlot(code, at) {
    let i = code.subarray(0, ENDBR64.length).equals(ENDBR64) ? ENDBR64.length : 0;
    if (code[i] === 0xf2) i++;
    if (code[i] !== 0xff || code[i + 1] !== 0x25 || i + 6 > code.length) return undefined;
    return at + i + 6 + code.readInt32LE(i + 2);
  },
  isPadding,
};

function written({ type, offset }: PlainReference): [from: number, to: number] | undefined {
  switch (type) {
    case R_X86_64.GOTPCRELX:
      return [offset - 2, offset + 4];
    case R_X86_64.REX_GOTPCRELX:
    case R_X86_64.GOTTPOFF:
      return [offset - 3, offset + 4];
    case R_X86_64.TLSGD:
      return [offset - 4, offset + 12];
    case R_X86_64.TLSLD:
      return [offset - 3, offset + 10];
    default: {
      const size = relocationSize(type);
      return size === undefined ? undefined : [offset, offset + size];
    }
  }
}

const WRONG: FieldValue = { kind: "wrong" };

/** @param at address of the field @param own the original's bytes of the section */
function readField(reference: PlainReference, at: number, own: Buffer, shipped: LinkedFile): FieldValue {
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
function readWord(at: number, addend: number, shipped: LinkedFile): FieldValue {
  const target = shipped.slot(at);
  if (target === undefined) return WRONG;
  if (target.kind === "place") return { kind: "place", at: target.at - addend };
  return { kind: "slot", target: target.kind === "name" ? { ...target, offset: target.offset - addend } : target };
}

function readRelaxable({ offset, addend }: PlainReference, at: number, own: Buffer, shipped: LinkedFile): FieldValue {
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
  shipped: LinkedFile,
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

function slotAt(at: number, shipped: LinkedFile): FieldValue {
  const target = shipped.slot(at);
  return target === undefined ? WRONG : { kind: "slot", target };
}

function isSame(own: Buffer, from: number, shipped: Buffer | undefined): boolean {
  return shipped !== undefined && own.compare(shipped, 0, shipped.length, from, from + shipped.length) === 0;
}
