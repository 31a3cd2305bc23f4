/** What an instruction on vector registers does to addresses (see pointer-step.ts), and one of the later opcode maps. */

import { addressOf, CLEAN, madeFrom, type PointerState, type Value } from "../pointer-state.ts";
import type { Parts } from "./instruction-parts.ts";
import type { Operands } from "./pointer-operands.ts";

const WORD = 8;
/** Bytes of a vector of AVX-512. */
const WIDEST = 64;

/** Vector registers are taken for one that holds what any of them does. */
export function vectorStep(parts: Parts, state: PointerState, operands: Operands): void {
  const { map, opcode, reg, rm, memory, isVex, prefix, third } = parts;
  const all: Value = madeFrom(addressOf(state.vector));
  const isGeneral = map > 1 && (opcode >= 0xf0 || (map === 3 && opcode === 0xf0));
  if (isGeneral && opcode < 0xf8) {
    const made = isVex ? madeFrom(...state.registers) : madeFrom(operands.get(reg), operands.read(WORD));
    // blsr and its like have an opcode's extension there; mulx has two results.
    if (!(isVex && opcode === 0xf3)) operands.set(reg, made);
    if (third !== undefined && (opcode === 0xf3 || opcode === 0xf6)) operands.set(third, made);
    return;
  }
  if (map === 1 && opcode === 0x7e && prefix !== 0xf3) {
    operands.write(WORD, all);
    return;
  }
  // A compiler may keep a general register's value in a mask register.
  if (isVex && map === 1 && (opcode === 0x91 || opcode === 0x93)) {
    if (memory === undefined) operands.set(reg, madeFrom(all, operands.get(reg)));
    else operands.write(WORD, all);
    return;
  }
  const size = isVex ? WIDEST : 2 * WORD;
  if (memory !== undefined && map === 1 && VECTOR_STORES.has(opcode)) {
    operands.write(size, all);
    return;
  }
  // Masked, narrowing and compressing stores, extracts and scatters lie among the loads of the other maps.
  if (memory !== undefined && map > 1 && isVex && state.vector !== 0) operands.write(size, all);
  if (map === 3 && opcode >= 0x14 && opcode < 0x18) {
    operands.write(WORD, all);
    return;
  }
  if (map === 1 && VECTOR_TO_GENERAL.has(opcode)) {
    operands.set(reg, all);
    return;
  }
  const isFromGeneral = (map === 1 && (opcode === 0x6e || opcode === 0x2a || opcode === 0x92)) || map > 1;
  const given =
    memory !== undefined ? operands.read(size) : isFromGeneral && rm !== undefined ? operands.get(rm) : CLEAN;
  state.vector |= given.sources;
  if (given.frame !== undefined) operands.expose();
}

const VECTOR_STORES = new Set([0x11, 0x13, 0x17, 0x29, 0x2b, 0x7f, 0xd6, 0xe7]);
const VECTOR_TO_GENERAL = new Set([0x2c, 0x2d, 0x50, 0xc5, 0xd7]);
