/** Instructions of x86-64 as the audit reads them. */
import type { PlainCode } from "../plain-code.ts";

const CALL = 0xe8;
const JUMP = 0xe9;
/** Opcode and displacement. */
const BRANCH_BYTES = 5;

/** nop in all its lengths, and the one-byte ones around it. */
const FILLER = /^((66|2e|3e)*0f1f|(66)*90$|cc$)/;

/** cmp, movsxd, test, mov, without an immediate operand: what is relocated in them is the place of their memory. */
const LOADS: ReadonlySet<number> = new Set([0x38, 0x39, 0x3a, 0x3b, 0x63, 0x84, 0x85, 0x8a, 0x8b]);
/** movups, movaps, movdqa, movzx, movsx. */
const LOADS_0F: ReadonlySet<number> = new Set([0x10, 0x28, 0x6f, 0xb6, 0xb7, 0xbe, 0xbf]);

/** For the audit alone: the object diff has a reader of its own. */
export const plainCode: PlainCode = {
  branchText(code, at, length) {
    let opcode = at;
    const prefixes: number[] = [];
    while (opcode < at + length && isPrefix(code[opcode] as number)) prefixes.push(code[opcode++] as number);
    const first = code[opcode] as number;
    const before = prefixes.map((each) => each.toString(16)).join("");
    if (first === 0xeb || first === JUMP) return `${before}jump`;
    if (first >= 0x70 && first < 0x80) return `${before}jump if ${first & 15}`;
    if (first === 0x0f) return `${before}jump if ${(code[opcode + 1] as number) & 15}`;
    return `${before}branch ${first.toString(16)}`;
  },
  isFiller: (text) => FILLER.test(text),
  isRead(instruction) {
    const opcode = instruction.findIndex((byte) => !isPrefix(byte));
    if (opcode < 0) return false;
    if (instruction[opcode] === 0x0f) return LOADS_0F.has(instruction[opcode + 1] ?? 0);
    return LOADS.has(instruction[opcode] as number);
  },
  // push takes one byte or four.
  passedNumber(instruction) {
    if (instruction[0] === 0x6a && instruction.length === 2) return instruction.readInt8(1);
    return instruction[0] === 0x68 && instruction.length === 5 ? instruction.readInt32LE(1) : undefined;
  },
  // endbr64, the call of ftrace, and a jump behind them.
  entryBytes: 16,
  entryBranch(entry, at) {
    const opcode = entry[at];
    if ((opcode !== CALL && opcode !== JUMP) || at + BRANCH_BYTES > entry.length) return undefined;
    return { kind: opcode === CALL ? "call" : "jump", distance: BRANCH_BYTES + entry.readInt32LE(at + 1) };
  },
  patchedBytes: BRANCH_BYTES,
};

function isPrefix(byte: number): boolean {
  return byte === 0x66 || byte === 0x2e || byte === 0x3e || byte === 0xf2 || byte === 0xf3 || (byte & 0xf0) === 0x40;
}
