/** What the byte before a relocated field tells of the instruction that it is part of. */
import type { LoadedArgument } from "../code.ts";
import { isPcRelative } from "./relocations.ts";

/** A call or a jump, as against an address that is taken. @param offset of the relocated field */
export function isBranchField(code: Buffer, offset: number, type: number): boolean {
  if (!isPcRelative(type)) return false;
  const before = code[offset - 1] ?? 0;
  return before === 0xe8 || before === 0xe9 || ((before & 0xf0) === 0x80 && code[offset - 2] === 0x0f);
}

/** Of a branch: whether it is a call, which leaves a return address. @param offset of the relocated field */
export function isCallField(code: Buffer, offset: number): boolean {
  return code[offset - 1] === 0xe8;
}

/** A ModRM byte that says RIP-relative: only then can an immediate follow the field. */
export function isRipRelativeField(code: Buffer, offset: number): boolean {
  return ((code[offset - 1] ?? 0) & 0xc7) === 0x05;
}

const PREFIXES: ReadonlySet<number> = new Set([0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65]);
/** Instructions that read their memory operand and hand on no address of it: of the one-byte map, and behind 0x0f. */
const READS: ReadonlySet<number> = new Set([
  ...[0x02, 0x03, 0x0a, 0x0b, 0x12, 0x13, 0x1a, 0x1b, 0x22, 0x23, 0x2a, 0x2b, 0x32, 0x33, 0x38, 0x39, 0x3a, 0x3b],
  ...[0x63, 0x80, 0x81, 0x83, 0x84, 0x85, 0x8a, 0x8b, 0xf6, 0xf7, 0xff],
]);
const READS_0F: ReadonlySet<number> = new Set([
  ...[0x10, 0x28, 0x6f, 0xaf, 0xb6, 0xb7, 0xbe, 0xbf],
  ...Array.from({ length: 16 }, (_, i) => 0x40 + i),
]);

/**
 * Whether a relocated field is the place of an operand that its instruction only
 * reads; false for any other, whose address may go anywhere.
 * @param at where the instruction starts
 */
export function readsAt(code: Buffer, at: number, field: number): boolean {
  let i = at;
  while (PREFIXES.has(code[i] ?? 0)) i++;
  if (((code[i] ?? 0) & 0xf0) === 0x40) i++;
  const isLong = code[i] === 0x0f;
  if (isLong) i++;
  if (!(isLong ? READS_0F : READS).has(code[i] ?? 0)) return false;
  const modrm = code[i + 1] ?? 0;
  const mod = modrm >> 6;
  const hasIndex = (modrm & 7) === 4;
  const isBare = mod === 0 && ((modrm & 7) === 5 || (hasIndex && ((code[i + 2] ?? 0) & 7) === 5));
  return (mod === 2 || isBare) && field === i + (hasIndex ? 3 : 2);
}

/** Of the instructions that read, those that also write there, but for the form of them that the bits of `reg` tell. */
const WRITES: ReadonlyMap<number, (reg: number) => boolean> = new Map([
  ...[0x80, 0x81, 0x83].map((opcode): [number, (reg: number) => boolean] => [opcode, (reg) => reg !== 7]),
  ...[0xf6, 0xf7].map((opcode): [number, (reg: number) => boolean] => [opcode, (reg) => reg === 2 || reg === 3]),
  [0xff, (reg) => reg < 2],
]);

/** As `readsAt`, where nothing is written there either. */
export function loadsAt(code: Buffer, at: number, field: number): boolean {
  if (!readsAt(code, at, field)) return false;
  let i = at;
  while (PREFIXES.has(code[i] ?? 0)) i++;
  if (((code[i] ?? 0) & 0xf0) === 0x40) i++;
  return WRITES.get(code[i] ?? 0)?.(((code[i + 1] ?? 0) >> 3) & 7) !== true;
}

/** The registers of the first integer arguments, by their numbers. Source: System V psABI, 3.2.3. */
const ARGUMENTS = [7, 6, 2, 1, 8, 9];

/** See `Code.setsAllOnes`. */
export function setsAllOnes(code: Buffer, at: number, length: number): boolean {
  const [first = 0, opcode = 0, operand = 0] = code.subarray(at, at + length);
  // push $-1
  if (length === 2) return first === 0x6a && opcode === 0xff;
  const isWide = (first & 0xf8) === 0x48;
  // mov $-1, %reg
  if (length === 7) return isWide && opcode === 0xc7 && (operand & 0xf8) === 0xc0 && code.readInt32LE(at + 3) === -1;
  // or $-1, %reg
  return length === 4 && isWide && opcode === 0x83 && (operand & 0xf8) === 0xc8 && code[at + 3] === 0xff;
}

/** A constant of 32 bits at the instruction's end. */
export function loadedArgument(code: Buffer, at: number, length: number): LoadedArgument | undefined {
  const extended = code[at] === 0x41;
  const opcode = code[extended ? at + 1 : at] ?? 0;
  if ((opcode & 0xf8) !== 0xb8 || length !== (extended ? 6 : 5)) return undefined;
  const argument = ARGUMENTS.indexOf((opcode & 7) + (extended ? 8 : 0));
  return argument < 0 ? undefined : { argument, field: at + length - 4 };
}
