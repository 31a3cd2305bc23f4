import type { Code } from "../code.ts";
import { decodeInstruction } from "./instruction.ts";
import {
  isBranchField,
  isCallField,
  isRipRelativeField,
  loadedArgument,
  loadsAt,
  readsAt,
  setsAllOnes,
} from "./operands.ts";
import { isPcRelative } from "./relocations.ts";

const LEA = 0x8d;
const INT3 = 0xcc;
/** Of a relative field that can be relocated, bytes. */
const FIELD = 4;

/** What is relative counts from the instruction's end, mostly that of its field. */
export const code: Code = {
  decode: decodeInstruction,
  leadsTo(bytes, at, { length, field = 0, branch }) {
    return at + length + (branch === 1 ? bytes.readInt8(at + field) : bytes.readInt32LE(at + field));
  },
  reach: ({ length, field = 0 }) => length - field,
  usualReach: (type) => (isPcRelative(type) ? FIELD : 0),
  mayHaveMore: isRipRelativeField,
  *addressFields(bytes) {
    for (let at = bytes.indexOf(LEA); at >= 0; at = bytes.indexOf(LEA, at + 1)) {
      const field = at + 2;
      if (field + FIELD > bytes.length || !isRipRelativeField(bytes, field)) continue;
      yield { field, to: field + FIELD + bytes.readInt32LE(field) };
    }
  },
  isBranchField,
  isCallField,
  readsAt,
  loadsAt,
  loadedArgument,
  setsAllOnes,
  filler: INT3,
  disassembler: "i386:x86-64",
};
