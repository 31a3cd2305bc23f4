/** What an instruction on vector registers does to addresses (see pointer-step.ts), and one of the later opcode maps. */

import { addressOf, CLEAN, madeFrom, type PointerState, type Value } from "../pointer-state.ts";
import { GPR, type Parts } from "./instruction-parts.ts";
import type { Operands } from "./pointer-operands.ts";

const WORD = 8;
/** Bytes of a vector of AVX-512. */
const WIDEST = 64;

/** Vector registers are taken for one that holds what any of them does. */
export function vectorStep(parts: Parts, state: PointerState, operands: Operands): void {
  const { map, opcode, reg, rm, memory, isVex, prefix, third } = parts;
  const all: Value = madeFrom(addressOf(state.vector));
  if (memory !== undefined && !isVex) storeOfRegister(parts, operands);
  // maskmovdqu, to where rdi leads; fxsave, xsave and their like, which have no register there.
  if (map === 1 && opcode === 0xf7) operands.storeTo(operands.get(GPR.rdi), 2 * WORD, all);
  if (map === 1 && opcode === 0xae && memory !== undefined && !isVex) operands.write(WIDEST, all);
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

/** The few of the later maps that write a general register to memory, or to where one leads. */
function storeOfRegister({ map, opcode, reg, prefix, hasOperandPrefix }: Parts, operands: Operands): void {
  if (map !== 2) return;
  const isMovbe = opcode === 0xf1 && prefix !== 0xf2;
  const isShadowStack = opcode === 0xf5 || (opcode === 0xf6 && prefix === 0 && !hasOperandPrefix);
  if (isMovbe || isShadowStack || opcode === 0xf9) operands.write(WORD, operands.get(reg));
  // movdir64b, enqcmd.
  if (opcode === 0xf8) operands.storeTo(operands.get(reg), WIDEST, operands.read(WIDEST));
}

const VECTOR_STORES = new Set([0x11, 0x13, 0x17, 0x29, 0x2b, 0x7f, 0xd6, 0xe7]);
const VECTOR_TO_GENERAL = new Set([0x2c, 0x2d, 0x50, 0xc5, 0xd7]);
