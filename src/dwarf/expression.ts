import type { Words } from "../elf/words.ts";
import { SutureError } from "../lib/error.ts";
import { Cursor, type Section } from "./cursor.ts";
import { corrupt, unsupported } from "./fault.ts";

/** What an expression can ask for; undefined where it cannot be had. Values are unsigned, of 64 bits. */
export interface Machine {
  readonly words: Words;
  register(number: number): bigint | undefined;
  /** `size` is 1, 2, 4 or 8 bytes. */
  memory(address: bigint, size: number): bigint | undefined;
}

/** A loop of more steps than this is not waited for. */
const MOST_STEPS = 2000;
const MOST_VALUES = 64;

/** Thrown where a register or memory cannot be had; it never leaves this file. */
const UNAVAILABLE = new SutureError("DWARF_UNAVAILABLE", "a register or memory that cannot be read");

/**
 * What a DWARF expression (DWARF 5, 2.5) leaves on the top of its stack, which
 * starts as `initial`; undefined where the machine cannot say what it takes.
 * Throws DWARF_CORRUPT or DWARF_UNSUPPORTED.
 */
export function evaluate(expression: Buffer, machine: Machine, initial: readonly bigint[] = []): bigint | undefined {
  const section: Section = { name: "DWARF expression", data: expression, words: machine.words, address: 0 };
  const evaluation = new Evaluation(new Cursor(section, 0, expression.length), machine, initial);
  try {
    for (let steps = 0; !evaluation.cursor.done; steps++) {
      if (steps === MOST_STEPS) throw evaluation.broken(`it takes more than ${MOST_STEPS} steps`);
      evaluation.step();
    }
    return evaluation.pop();
  } catch (error) {
    if (error === UNAVAILABLE) return undefined;
    throw error;
  }
}

const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);
const signed = (value: bigint): bigint => BigInt.asIntN(64, value);

class Evaluation {
  readonly cursor: Cursor;
  readonly #machine: Machine;
  readonly #stack: bigint[];

  constructor(cursor: Cursor, machine: Machine, initial: readonly bigint[]) {
    this.cursor = cursor;
    this.#machine = machine;
    this.#stack = [...initial];
  }

  broken(what: string): SutureError {
    return corrupt(this.cursor.section.name, this.cursor.at, what);
  }

  push(value: bigint): void {
    if (this.#stack.length === MOST_VALUES) throw this.broken(`more than ${MOST_VALUES} values`);
    this.#stack.push(wrap(value));
  }

  pop(): bigint {
    return this.#stack.pop() ?? this.#empty();
  }

  step(): void {
    const { cursor } = this;
    const opcode = cursor.u8();
    if (opcode >= 0x30 && opcode <= 0x4f) {
      // DW_OP_lit
      this.push(BigInt(opcode - 0x30));
      return;
    }
    if (opcode >= 0x70 && opcode <= 0x8f) {
      // DW_OP_breg
      this.#register(opcode - 0x70);
      return;
    }
    switch (opcode) {
      case 0x06: // DW_OP_deref
        this.#load(8);
        return;
      case 0x94: // DW_OP_deref_size
        this.#load(cursor.u8());
        return;
      case 0x28: // DW_OP_bra
        this.#branch(cursor.i16(), this.pop() !== 0n);
        return;
      case 0x2f: // DW_OP_skip
        this.#branch(cursor.i16(), true);
        return;
      case 0x92: // DW_OP_bregx
        this.#register(cursor.unsigned());
        return;
      case 0x96: // DW_OP_nop
        return;
    }
    if (!this.#constant(opcode) && !this.#shuffle(opcode) && !this.#unary(opcode)) this.push(this.#binary(opcode));
  }

  #constant(opcode: number): boolean {
    const { cursor } = this;
    switch (opcode) {
      case 0x03: // DW_OP_addr
      case 0x0e: // DW_OP_const8u
        this.push(cursor.u64());
        return true;
      case 0x08: // DW_OP_const1u
        this.push(BigInt(cursor.u8()));
        return true;
      case 0x09: // DW_OP_const1s
        this.push(BigInt(cursor.i8()));
        return true;
      case 0x0a: // DW_OP_const2u
        this.push(BigInt(cursor.u16()));
        return true;
      case 0x0b: // DW_OP_const2s
        this.push(BigInt(cursor.i16()));
        return true;
      case 0x0c: // DW_OP_const4u
        this.push(BigInt(cursor.u32()));
        return true;
      case 0x0d: // DW_OP_const4s
        this.push(BigInt(cursor.i32()));
        return true;
      case 0x0f: // DW_OP_const8s
        this.push(cursor.i64());
        return true;
      case 0x10: // DW_OP_constu
        this.push(BigInt(cursor.unsigned()));
        return true;
      case 0x11: // DW_OP_consts
        this.push(BigInt(cursor.signed()));
        return true;
      default:
        return false;
    }
  }

  #shuffle(opcode: number): boolean {
    switch (opcode) {
      case 0x12: // DW_OP_dup
        this.push(this.#peek(0));
        return true;
      case 0x13: // DW_OP_drop
        this.pop();
        return true;
      case 0x14: // DW_OP_over
        this.push(this.#peek(1));
        return true;
      case 0x15: // DW_OP_pick
        this.push(this.#peek(this.cursor.u8()));
        return true;
      case 0x16: {
        // DW_OP_swap
        const [top, second] = [this.pop(), this.pop()];
        this.push(top);
        this.push(second);
        return true;
      }
      case 0x17: {
        // DW_OP_rot
        const [top, second, third] = [this.pop(), this.pop(), this.pop()];
        this.push(top);
        this.push(third);
        this.push(second);
        return true;
      }
      default:
        return false;
    }
  }

  #unary(opcode: number): boolean {
    switch (opcode) {
      case 0x19: {
        // DW_OP_abs
        const value = signed(this.pop());
        this.push(value < 0n ? -value : value);
        return true;
      }
      case 0x1f: // DW_OP_neg
        this.push(-this.pop());
        return true;
      case 0x20: // DW_OP_not
        this.push(~this.pop());
        return true;
      case 0x23: // DW_OP_plus_uconst
        this.push(this.pop() + BigInt(this.cursor.unsigned()));
        return true;
      default:
        return false;
    }
  }

  #binary(opcode: number): bigint {
    const [b, a] = [this.pop(), this.pop()];
    switch (opcode) {
      case 0x1a: // DW_OP_and
        return a & b;
      case 0x1b: // DW_OP_div
        return signed(a) / this.#divisor(signed(b));
      case 0x1c: // DW_OP_minus
        return a - b;
      case 0x1d: // DW_OP_mod
        return a % this.#divisor(b);
      case 0x1e: // DW_OP_mul
        return a * b;
      case 0x21: // DW_OP_or
        return a | b;
      case 0x22: // DW_OP_plus
        return a + b;
      case 0x24: // DW_OP_shl
        return b > 63n ? 0n : a << b;
      case 0x25: // DW_OP_shr
        return b > 63n ? 0n : a >> b;
      case 0x26: // DW_OP_shra
        return signed(a) >> (b > 63n ? 63n : b);
      case 0x27: // DW_OP_xor
        return a ^ b;
      case 0x29: // DW_OP_eq
        return a === b ? 1n : 0n;
      case 0x2a: // DW_OP_ge
        return signed(a) >= signed(b) ? 1n : 0n;
      case 0x2b: // DW_OP_gt
        return signed(a) > signed(b) ? 1n : 0n;
      case 0x2c: // DW_OP_le
        return signed(a) <= signed(b) ? 1n : 0n;
      case 0x2d: // DW_OP_lt
        return signed(a) < signed(b) ? 1n : 0n;
      case 0x2e: // DW_OP_ne
        return a !== b ? 1n : 0n;
      default:
        throw unsupported(this.cursor.section.name, this.cursor.at, `the operation 0x${opcode.toString(16)}`);
    }
  }

  #peek(depth: number): bigint {
    return this.#stack.at(-1 - depth) ?? this.#empty();
  }

  #empty(): never {
    throw this.broken("an expression takes more values than there are");
  }

  #divisor(value: bigint): bigint {
    if (value === 0n) throw this.broken("a division by zero");
    return value;
  }

  #register(number: number): void {
    const offset = BigInt(this.cursor.signed());
    const value = this.#machine.register(number);
    if (value === undefined) throw UNAVAILABLE;
    this.push(value + offset);
  }

  #load(size: number): void {
    if (size !== 1 && size !== 2 && size !== 4 && size !== 8) throw this.broken(`a load of ${size} bytes`);
    const value = this.#machine.memory(this.pop(), size);
    if (value === undefined) throw UNAVAILABLE;
    this.push(value);
  }

  #branch(distance: number, taken: boolean): void {
    const target = this.cursor.at + distance;
    if (target < 0 || target > this.cursor.end) throw this.broken("a branch out of the expression");
    if (taken) this.cursor.at = target;
  }
}
