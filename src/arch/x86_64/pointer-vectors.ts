/** What an instruction on vector registers does to addresses (see pointer-step.ts), and one of the later opcode maps. */
import type { Parts } from "./instruction-parts.ts";
import type { Operands } from "./pointer-operands.ts";
import { addressOf, CLEAN, madeFrom, type PointerState, type Value } from "./pointer-state.ts";

const WORD = 8;
/** Bytes of a vector of AVX-512. */
const WIDEST = 64;

/** Vector registers are taken for one that holds what any of them does. */
export function vectorStep(parts: Parts, state: PointerState, operands: Operands): void {
  const { map, opcode, reg, rm, memory, isVex, prefix } = parts;
  const all: Value = madeFrom(addressOf(state.vector));
  const isGeneral = map > 1 && (opcode >= 0xf0 || (map === 3 && opcode === 0xf0));
  if (isGeneral && opcode < 0xf8) {
    operands.set(reg, isVex ? madeFrom(...state.registers) : madeFrom(operands.get(reg), operands.read(WORD)));
    return;
  }
  if (map === 1 && opcode === 0x7e && prefix !== 0xf3) {
    operands.write(WORD, all);
    return;
  }
  if (memory !== undefined && isVectorStore(map, opcode)) {
    operands.write(isVex ? WIDEST : 2 * WORD, all);
    return;
  }
  if (map === 3 && opcode >= 0x14 && opcode < 0x18) {
    operands.write(WORD, all);
    return;
  }
  if (map === 1 && VECTOR_TO_GENERAL.has(opcode)) {
    operands.set(reg, all);
    return;
  }
  const isFromGeneral = (map === 1 && (opcode === 0x6e || opcode === 0x2a)) || (map === 3 && opcode === 0x22);
  const given =
    memory !== undefined
      ? operands.read(isVex ? WIDEST : 2 * WORD)
      : isFromGeneral && rm !== undefined
        ? operands.get(rm)
        : CLEAN;
  state.vector |= given.sources;
  if (given.frame !== undefined) operands.expose();
}

const VECTOR_STORES = new Set([0x11, 0x13, 0x17, 0x29, 0x2b, 0x7f, 0xd6, 0xe7]);
const VECTOR_TO_GENERAL = new Set([0x2c, 0x2d, 0x50, 0xc5, 0xd7]);

function isVectorStore(map: number, opcode: number): boolean {
  if (map === 1) return VECTOR_STORES.has(opcode);
  // Masked stores, scatters, and narrowing moves of AVX.
  return map === 2 && ((opcode >= 0x2e && opcode < 0x30) || opcode === 0x8e || (opcode >= 0xa0 && opcode < 0xa4));
}
