/**
 * Direct calls in linked code, by their bytes alone: a call or jump with a
 * displacement that leads exactly to a wanted place is hardly ever anything else.
 * Good enough to tell somebody, not to decide what is patched.
 */

import type { CallSite } from "../kernel-abi.ts";

const CALL = 0xe8;
const JUMP = 0xe9;
const LENGTH = 5;
/** How far before a call its first argument is looked for. */
const BEFORE = 64;

/** @param base address of the code's first byte, as a signed 64-bit value */
export function directCalls(code: Buffer, base: number, isWanted: (target: number) => boolean): CallSite[] {
  const sites: CallSite[] = [];
  for (let at = 0; at + LENGTH <= code.length; at++) {
    const opcode = code[at];
    if (opcode !== CALL && opcode !== JUMP) continue;
    const target = base + at + LENGTH + code.readInt32LE(at + 1);
    if (isWanted(target)) sites.push({ at, target });
  }
  return sites;
}

/** The addresses that are loaded as a first argument (%rdi) before a call, the nearest first. */
export function firstArguments(code: Buffer, base: number, call: number): number[] {
  const found: number[] = [];
  for (let at = call - 7; at >= Math.max(0, call - BEFORE); at--) {
    if (code[at] !== 0x48) continue;
    // mov $imm32, %rdi
    if (code[at + 1] === 0xc7 && code[at + 2] === 0xc7) found.push(code.readInt32LE(at + 3));
    // lea disp32(%rip), %rdi
    else if (code[at + 1] === 0x8d && code[at + 2] === 0x3d) found.push(base + at + 7 + code.readInt32LE(at + 3));
  }
  return found;
}
