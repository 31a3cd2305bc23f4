import { BIG } from "../../elf/words.ts";
import type { Code } from "../code.ts";
import { BRASL, decodeInstruction, LARL } from "./instruction.ts";
import { isOfInstruction } from "./relocations.ts";

/** Of a relative operand, from its instruction's start, bytes. */
const FIELD = 2;
const HALFWORD = 2;

/** What of an instruction that has a relative operand says what it does: the first byte, and the low bits of the second. */
function opcodeAt(code: Buffer, field: number): { readonly first: number; readonly second: number } {
  return { first: code[field - FIELD] ?? 0, second: (code[field - FIELD + 1] ?? 0) & 15 };
}

/** Of c4: lhrl, lghrl, lhhrl's kin, lgrl, lgfrl, lrl and the like: what has none of the stores' codes. */
const STORES: ReadonlySet<number> = new Set([0x7, 0xb, 0xf]);

function isLoad(code: Buffer, at: number, field: number): boolean {
  if (field !== at + FIELD) return false;
  const { first, second } = opcodeAt(code, field);
  // c6: comparisons, but for exrl (0), which executes, and pfdrl (2), which only hints.
  return first === 0xc4 ? !STORES.has(second) : first === 0xc6 && second > 2;
}

function isBranchAt(code: Buffer, field: number): boolean {
  const { first, second } = opcodeAt(code, field);
  return (first === 0xc0 && (second === 4 || second === BRASL)) || (first === 0xcc && second === 6);
}

/** Source: z/Architecture Principles of Operation. What an operand is used for is told by the opcode before it. */
export const code: Code = {
  decode: decodeInstruction,
  leadsTo(bytes, at, { field = FIELD, branch }) {
    return at + HALFWORD * (branch === 2 ? BIG.i16(bytes, at + field) : BIG.i32(bytes, at + field));
  },
  reach: ({ field = 0 }) => -field,
  usualReach: (type) => (isOfInstruction(type) ? -FIELD : 0),
  mayHaveMore: () => false,
  *addressFields(bytes) {
    for (let at = 0; at + 6 <= bytes.length; at += HALFWORD) {
      if (bytes[at] !== 0xc0 || ((bytes[at + 1] as number) & 15) !== LARL) continue;
      yield { field: at + FIELD, to: at + HALFWORD * BIG.i32(bytes, at + FIELD) };
    }
  },
  isBranchField: (bytes, field, type) => isOfInstruction(type) && isBranchAt(bytes, field),
  isCallField(bytes, field) {
    const { first, second } = opcodeAt(bytes, field);
    return first === 0xc0 && second === BRASL;
  },
  readsAt: isLoad,
  loadsAt: isLoad,
  loadedArgument(bytes, at, length) {
    // lhi and lghi, and lgfi: a constant of 16 or 32 bits. Arguments are in r2 to r6.
    const { first, second } = opcodeAt(bytes, at + FIELD);
    const isConstant = first === 0xa7 ? second === 8 || second === 9 : first === 0xc0 && second === 1;
    const argument = ((bytes[at + 1] ?? 0) >> 4) - 2;
    if (!isConstant || length < 4 || argument < 0 || argument > 4) return undefined;
    return { argument, field: at + FIELD };
  },
  setsAllOnes(bytes, at, length) {
    // lghi
    const { first, second } = opcodeAt(bytes, at + FIELD);
    return length === 4 && first === 0xa7 && second === 9 && bytes.readInt16BE(at + FIELD) === -1;
  },
  // An operation exception, as two of them are no instruction.
  filler: 0,
  disassembler: "s390:64-bit",
};
