/**
 * What one instruction does to the addresses that registers and the stack frame
 * may hold. Branches, calls and returns are left to who follows the code. What
 * an instruction does to a value is not asked for: where it is not a plain move,
 * the result may be made from all that the instruction reads.
 */

import type { Surroundings } from "../pointer-flow.ts";
import { CLEAN, frameAddress, joined, madeFrom, type PointerState, type Value } from "../pointer-state.ts";
import { GPR, type Parts } from "./instruction-parts.ts";
import { Operands } from "./pointer-operands.ts";
import { vectorStep } from "./pointer-vectors.ts";

const { rax, rcx, rdx, rsp, rbp, rsi, rdi } = GPR;
const WORD = 8;

/** Does an instruction that is no branch, call or return. */
export function step(parts: Parts, state: PointerState, around: Surroundings): void {
  const run = new Step(parts, state, around);
  if (parts.map === 0 && !parts.isVex) run.plain();
  else if (parts.map === 1 && !parts.isVex) run.extended();
  else vectorStep(parts, state, new Operands(parts, state, around));
}

/** What a jump or a call leads to that goes through the instruction's operand. */
export function loaded(parts: Parts, state: PointerState, around: Surroundings): Value {
  return new Operands(parts, state, around).read(WORD);
}

class Step {
  readonly #parts: Parts;
  readonly #state: PointerState;
  readonly #operands: Operands;

  constructor(parts: Parts, state: PointerState, around: Surroundings) {
    this.#parts = parts;
    this.#state = state;
    this.#operands = new Operands(parts, state, around);
  }

  plain(): void {
    const { opcode, extension, width, low, rm, memory } = this.#parts;
    if (opcode < 0x40) {
      this.#arithmetic(opcode >> 3, opcode & 7);
      return;
    }
    if (opcode >= 0x50 && opcode < 0x58) {
      this.#operands.push(this.#operands.get(low));
      return;
    }
    if (opcode >= 0x58 && opcode < 0x60) {
      this.#operands.set(low, this.#operands.pop());
      return;
    }
    if (opcode >= 0x91 && opcode < 0x98) {
      this.#exchange(low, rax);
      return;
    }
    if (opcode >= 0xb0 && opcode < 0xb8) return;
    if (opcode >= 0xb8 && opcode < 0xc0) {
      this.#operands.set(low, this.#operands.constant());
      return;
    }
    switch (opcode) {
      case 0x63:
        this.#operands.set(this.#parts.reg, rm === undefined ? this.#operands.read(4) : this.#operands.get(rm));
        return;
      case 0x68:
      case 0x6a:
        this.#operands.push(this.#operands.constant());
        return;
      case 0x69:
      case 0x6b:
        this.#operands.set(this.#parts.reg, madeFrom(this.#operands.read(width), this.#operands.constant()));
        return;
      case 0x80:
      case 0x81:
      case 0x83:
        this.#immediateArithmetic(extension, opcode === 0x80 ? 1 : width);
        return;
      case 0x84:
      case 0x85:
      case 0xa8:
      case 0xa9:
        return;
      case 0x86:
      case 0x88:
      case 0xc6:
        this.#operands.write(1, CLEAN);
        return;
      case 0x8a:
        return;
      case 0x87:
        if (rm !== undefined) {
          this.#exchange(rm, this.#parts.reg);
          return;
        }
        this.#exchangeMemory();
        return;
      case 0x89:
        this.#operands.write(width, this.#operands.get(this.#parts.reg));
        return;
      case 0x8b:
        this.#operands.set(this.#parts.reg, this.#operands.read(width), width);
        return;
      case 0x8d:
        this.#operands.set(this.#parts.reg, memory === undefined ? CLEAN : this.#operands.addressOf(memory), width);
        return;
      case 0x8f:
        this.#operands.write(WORD, this.#operands.pop());
        return;
      case 0x90:
      case 0x98:
        return;
      case 0x99:
        this.#operands.set(rdx, CLEAN);
        return;
      case 0x9c:
        this.#operands.push(CLEAN);
        return;
      case 0x9d:
        this.#operands.pop();
        return;
      case 0xa0:
      case 0xa2:
        return;
      case 0xa1:
        this.#operands.set(rax, CLEAN);
        return;
      case 0xa3:
        this.#operands.leave(this.#operands.get(rax));
        return;
      case 0xa4:
      case 0xa5:
        this.#copyString();
        return;
      case 0xaa:
      case 0xab:
        this.#fillString();
        return;
      case 0xac:
      case 0xad:
        this.#operands.set(
          rax,
          madeFrom(this.#operands.get(rax), this.#operands.loadFrom(this.#operands.get(rsi), WORD)),
        );
        this.#advance(rsi);
        return;
      case 0xa6:
      case 0xa7:
        this.#advance(rsi);
        this.#advance(rdi);
        return;
      case 0xae:
      case 0xaf:
        this.#advance(rdi);
        return;
      case 0xc0:
      case 0xc1:
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        this.#makeOperand(opcode & 1 ? width : 1);
        return;
      case 0xc7:
        this.#operands.write(width, this.#operands.constant());
        return;
      case 0xc9:
        this.#operands.set(rsp, this.#operands.get(rbp));
        this.#operands.set(rbp, this.#operands.pop());
        return;
      case 0xf6:
      case 0xf7:
        this.#unary(extension);
        return;
      case 0xfe:
        return;
      case 0xff:
        if (extension === 6) this.#operands.push(this.#operands.read(WORD));
        else this.#makeOperand(width);
        return;
      default:
        // Flags, ports, floating point: none of it has to do with addresses.
        if (memory === undefined || opcode >= 0xd8) return;
        this.#unknown();
        return;
    }
  }

  extended(): void {
    const { opcode, reg, extension, width, rm } = this.#parts;
    if (opcode >= 0x40 && opcode < 0x50) {
      this.#operands.set(reg, joined(this.#operands.get(reg), this.#operands.read(width)));
      return;
    }
    if (opcode >= 0x90 && opcode < 0xa0) {
      this.#operands.write(1, CLEAN);
      return;
    }
    if (opcode >= 0xc8 && opcode < 0xd0) {
      this.#operands.set(this.#parts.low, madeFrom(this.#operands.get(this.#parts.low)));
      return;
    }
    switch (opcode) {
      case 0x00:
      case 0x01:
      case 0x31:
      case 0x32:
      case 0xa2:
        for (const each of [rax, rdx, ...(opcode === 0xa2 ? [GPR.rbx, rcx] : [])]) this.#operands.set(each, CLEAN);
        return;
      case 0xa4:
      case 0xa5:
      case 0xac:
      case 0xad:
      case 0xb3:
      case 0xab:
      case 0xbb:
      case 0xba:
        this.#makeOperand(width, this.#operands.get(reg));
        return;
      case 0xaf:
        this.#operands.set(reg, madeFrom(this.#operands.get(reg), this.#operands.read(width)));
        return;
      case 0xb0:
        return;
      case 0xb1:
      case 0xc1: {
        const before = this.#operands.read(width);
        const given = this.#operands.get(reg);
        this.#operands.write(width, rm === undefined ? given : joined(before, given));
        this.#operands.set(
          opcode === 0xb1 ? rax : reg,
          opcode === 0xb1 ? joined(this.#operands.get(rax), before) : before,
        );
        return;
      }
      case 0xb6:
      case 0xb7:
      case 0xbe:
      case 0xbf:
      case 0xb8:
      case 0xbc:
      case 0xbd:
        this.#operands.set(reg, CLEAN);
        return;
      case 0xc3:
        this.#operands.write(width, this.#operands.get(reg));
        return;
      case 0xc7:
        if (extension !== 1) {
          if (rm !== undefined) this.#operands.set(rm, CLEAN);
          return;
        }
        for (const each of [rax, rdx])
          this.#operands.set(each, joined(this.#operands.get(each), this.#operands.read(2 * WORD)));
        this.#operands.write(2 * WORD, madeFrom(this.#operands.get(GPR.rbx), this.#operands.get(rcx)));
        return;
      default:
        if (!isWithoutOperands(opcode)) vectorStep(this.#parts, this.#state, this.#operands);
    }
  }

  #exchange(a: number, b: number): void {
    const value = this.#operands.get(a);
    this.#operands.set(a, this.#operands.get(b));
    this.#operands.set(b, value);
  }

  #exchangeMemory(): void {
    const before = this.#operands.read(WORD);
    this.#operands.write(WORD, this.#operands.get(this.#parts.reg));
    this.#operands.set(this.#parts.reg, before);
  }

  /** add, or, adc, sbb, and, sub, xor, cmp in that order; @param form as in the low three bits of the opcode */
  #arithmetic(operation: number, form: number): void {
    const { reg, rm, width } = this.#parts;
    if (operation === CMP || form === 0 || form === 2 || form === 4) return;
    if (form === 5) {
      this.#combine(rax, operation, this.#operands.constant());
      return;
    }
    if (form === 1) {
      if (rm !== undefined) {
        this.#combine(rm, operation, this.#operands.get(reg), rm === reg);
        return;
      }
      this.#makeOperand(width, this.#operands.get(reg));
      return;
    }
    this.#combine(reg, operation, this.#operands.read(width), rm === reg);
  }

  #immediateArithmetic(operation: number, size: number): void {
    const { rm, immediate, at, length } = this.#parts;
    if (operation === CMP || size === 1) return;
    const constant = this.#operands.constant();
    if (rm === undefined) {
      this.#makeOperand(size, constant);
      return;
    }
    const { frame, sources } = this.#operands.get(rm);
    const isSum = operation === ADD || operation === SUB;
    if (isSum && constant === CLEAN && typeof frame === "number" && sources === 0) {
      const by = immediateAt(this.#parts.code, immediate, at + length);
      this.#operands.set(rm, frameAddress(by === undefined ? "some" : frame + (operation === ADD ? by : -by)));
      return;
    }
    if (isSum && constant === CLEAN && this.#operands.get(rm).isExact) return;
    this.#operands.set(rm, madeFrom(this.#operands.get(rm), constant));
  }

  #combine(to: number, operation: number, value: Value, isSelf = false): void {
    if (isSelf && (operation === XOR || operation === SUB)) {
      this.#operands.set(to, CLEAN);
      return;
    }
    const before = this.#operands.get(to);
    if (operation === ADD && before.isExact && value === CLEAN) return;
    if (operation === ADD && value.isExact && before === CLEAN) {
      this.#operands.set(to, value);
      return;
    }
    this.#operands.set(to, madeFrom(before, value));
  }

  /** The ModRM operand becomes something made from it and more. */
  #makeOperand(size: number, more: Value = CLEAN): void {
    const { rm } = this.#parts;
    if (rm !== undefined) this.#operands.set(rm, madeFrom(this.#operands.get(rm), more));
    else this.#operands.write(size, madeFrom(this.#operands.read(size), more));
  }

  #unary(extension: number): void {
    if (extension < 2) return;
    if (extension < 4) {
      this.#makeOperand(this.#parts.width);
      return;
    }
    const made = madeFrom(this.#operands.get(rax), this.#operands.get(rdx), this.#operands.read(this.#parts.width));
    this.#operands.set(rax, made);
    this.#operands.set(rdx, made);
  }

  #copyString(): void {
    const from = this.#operands.get(rsi);
    const whole = from.frame === undefined ? from : { ...from, frame: "some" as const };
    const value = madeFrom(this.#operands.loadFrom(whole, WORD));
    const to = this.#operands.get(rdi);
    this.#operands.storeTo(to.frame === undefined ? to : frameAddress("some"), WORD, value);
    this.#advance(rsi);
    this.#advance(rdi);
  }

  #fillString(): void {
    const to = this.#operands.get(rdi);
    this.#operands.storeTo(to.frame === undefined ? to : frameAddress("some"), WORD, madeFrom(this.#operands.get(rax)));
    this.#advance(rdi);
  }

  #advance(register: number): void {
    const value = this.#operands.get(register);
    if (value.frame !== undefined) this.#operands.set(register, madeFrom(value));
  }

  #anyOperand(): Value {
    return madeFrom(this.#operands.get(this.#parts.reg), this.#operands.read(WORD));
  }

  #unknown(): void {
    const value = this.#anyOperand();
    this.#operands.set(this.#parts.reg, value);
    this.#operands.write(WORD, value);
  }
}

const ADD = 0;
const SUB = 5;
const XOR = 6;
const CMP = 7;

function immediateAt(code: Buffer, at: number, end: number): number | undefined {
  if (end - at === 1) return code.readInt8(at);
  return end - at === 4 ? code.readInt32LE(at) : undefined;
}

/** Of the opcodes behind 0f: system instructions, hints and prefetches, control registers, fences, tests of bits. */
function isWithoutOperands(opcode: number): boolean {
  const row = opcode & 0xf8;
  if (opcode >= 0x05 && opcode < 0x10) return true;
  return row === 0x18 || row === 0x20 || row === 0x30 || row === 0xa0 || [0xa8, 0xa9, 0xae].includes(opcode);
}
