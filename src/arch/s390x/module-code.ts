/**
 * Kernel calling convention: first argument and result in r2, return address in r14,
 * 160 bytes above the stack pointer for the callee to save registers in.
 */
import type { CodeField, MachineCode, ModuleCode } from "../module-code.ts";
import { R_390 } from "./relocations.ts";

const FRAME = 160;
/** Where a function keeps r14 in its caller's frame. */
const SAVED = 112;

class Assembler {
  readonly #bytes: number[] = [];
  readonly #fields: CodeField[] = [];

  emit(...bytes: number[]): this {
    this.#bytes.push(...bytes);
    return this;
  }

  /** An instruction with a relative operand behind its first two bytes. */
  #relative(first: number, second: number, symbol: string, type: number): this {
    this.#fields.push({ offset: this.#bytes.length + 2, type, symbol, addend: 2 });
    return this.emit(first, second, 0, 0, 0, 0);
  }

  /** larl %rN,symbol */
  loadAddress(register: number, symbol: string): this {
    return this.#relative(0xc0, register << 4, symbol, R_390.PC32DBL);
  }

  /** brasl %r14,symbol */
  call(symbol: string): this {
    return this.#relative(0xc0, 0xe5, symbol, R_390.PLT32DBL);
  }

  /** jg symbol */
  jump(symbol: string): this {
    return this.#relative(0xc0, 0xf4, symbol, R_390.PLT32DBL);
  }

  /** stmg %r14,%r15,112(%r15); lay %r15,-160(%r15) */
  enter(): this {
    return this.emit(0xeb, 0xef, ...longPlace(15, SAVED), 0x24).emit(0xe3, 0xf0, ...longPlace(15, -FRAME), 0x71);
  }

  /** lmg %r14,%r15,272(%r15) */
  leave(): this {
    return this.emit(0xeb, 0xef, ...longPlace(15, FRAME + SAVED), 0x04);
  }

  /** br %r14 */
  return(): this {
    return this.emit(0x07, 0xfe);
  }

  code(): MachineCode {
    return { bytes: Buffer.from(this.#bytes), fields: this.#fields, sites: [] };
  }
}

/** A base register with a displacement of 20 bits. */
function longPlace(base: number, displacement: number): number[] {
  return [(base << 4) | ((displacement >> 8) & 15), displacement & 0xff, (displacement >> 12) & 0xff];
}

/** Kernel calling convention: the first argument is in r2, where the result comes back, too. */
export const moduleCode: ModuleCode = {
  init(_, isHeld) {
    const code = new Assembler();
    if (isHeld) code.enter().loadAddress(2, "__this_module").call("__module_get").leave();
    return code.loadAddress(2, "patch").jump("klp_enable_patch").code();
  },
  exit: () => new Assembler().return().code(),
  setModuleExit: (symbol, reference, offsets) =>
    new Assembler()
      .emit(0xe3, 0x30, ...longPlace(2, offsets.mod), 0x04) // lg %r3,mod(%r2)
      .loadAddress(1, symbol)
      .emit(0xe3, 0x10, ...longPlace(3, offsets.exit), 0x24) // stg %r1,exit(%r3)
      .enter()
      .loadAddress(2, "__this_module")
      .call(reference)
      .leave()
      .emit(0xa7, 0x29, 0, 0) // lghi %r2,0
      .return()
      .code(),
};
