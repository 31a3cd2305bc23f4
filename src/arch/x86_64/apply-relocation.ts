/** Filling in relocated fields, as a linker does. Source: System V psABI for x86-64, table 4.9. */
import type { PlacedField, RelocationValue } from "../load-abi.ts";
import { R_X86_64 } from "./relocations.ts";

interface Rule {
  readonly value: RelocationValue;
  readonly isRelative: boolean;
  readonly width: "signed32" | "unsigned32" | "64";
}

const RULES: ReadonlyMap<number, Rule> = new Map<number, Rule>([
  [R_X86_64[64], { value: "address", isRelative: false, width: "64" }],
  [R_X86_64.PC32, { value: "address", isRelative: true, width: "signed32" }],
  [R_X86_64.PLT32, { value: "call", isRelative: true, width: "signed32" }],
  [R_X86_64[32], { value: "address", isRelative: false, width: "unsigned32" }],
  [R_X86_64["32S"], { value: "address", isRelative: false, width: "signed32" }],
  [R_X86_64.PC64, { value: "address", isRelative: true, width: "64" }],
  [R_X86_64.GOTPCREL, { value: "slot", isRelative: true, width: "signed32" }],
  [R_X86_64.GOTPCRELX, { value: "slot", isRelative: true, width: "signed32" }],
  [R_X86_64.REX_GOTPCRELX, { value: "slot", isRelative: true, width: "signed32" }],
  [R_X86_64.GOTTPOFF, { value: "threadSlot", isRelative: true, width: "signed32" }],
  [R_X86_64.TLSGD, { value: "modulePair", isRelative: true, width: "signed32" }],
  [R_X86_64.TLSLD, { value: "moduleBase", isRelative: true, width: "signed32" }],
  [R_X86_64.DTPOFF32, { value: "moduleOffset", isRelative: false, width: "signed32" }],
  [R_X86_64.DTPOFF64, { value: "moduleOffset", isRelative: false, width: "64" }],
  [R_X86_64.TPOFF32, { value: "threadOffset", isRelative: false, width: "signed32" }],
  [R_X86_64.TPOFF64, { value: "threadOffset", isRelative: false, width: "64" }],
]);

/** What a relocation asks of its symbol; undefined for a type that is not filled in here. */
export function relocationValue(type: number): RelocationValue | undefined {
  return RULES.get(type)?.value;
}

/** As `LoadAbi.applyRelocation` has it. */
export function applyRelocation(
  { data, offset, at }: PlacedField,
  type: number,
  value: number,
  addend: number,
): boolean {
  const rule = RULES.get(type);
  if (rule === undefined) return false;
  const result = value + addend - (rule.isRelative ? at : 0);
  switch (rule.width) {
    case "64":
      data.writeBigInt64LE(BigInt(result), offset);
      return true;
    case "signed32":
      if (result < -(2 ** 31) || result >= 2 ** 31) return false;
      data.writeInt32LE(result, offset);
      return true;
    case "unsigned32":
      if (result < 0 || result >= 2 ** 32) return false;
      data.writeUInt32LE(result, offset);
      return true;
  }
}

/** `jmp *slot(%rip)`: leads to what is out of reach of a call. */
export const IMPORT_STUB_SIZE = 8;

/** @returns undefined where the slot is out of reach of the stub */
export function importStub(at: number, slot: number): Buffer | undefined {
  const distance = slot - (at + 6);
  if (Math.abs(distance) >= 2 ** 31) return undefined;
  const code = Buffer.from([0xff, 0x25, 0, 0, 0, 0, 0xcc, 0xcc]);
  code.writeInt32LE(distance, 2);
  return code;
}
