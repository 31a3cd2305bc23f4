/**
 * The few instructions that a livepatch module needs of its own. Kernel calling
 * convention: first argument in rdi, result in eax.
 */
import type { CodeField, CodeTraits, MachineCode, ModuleCode } from "../module-code.ts";
import { R_X86_64 } from "./relocations.ts";

/** Puts instructions one behind another. */
class Assembler {
  readonly #bytes: number[] = [];
  readonly #fields: CodeField[] = [];
  readonly #returns: number[] = [];
  readonly #hasReturnThunk: boolean;

  constructor({ hasReturnThunk }: CodeTraits) {
    this.#hasReturnThunk = hasReturnThunk;
    this.emit(0xf3, 0x0f, 0x1e, 0xfa); // endbr64
  }

  emit(...bytes: number[]): this {
    this.#bytes.push(...bytes);
    return this;
  }

  #field(symbol: string, type: number, addend: number): this {
    this.#fields.push({ offset: this.#bytes.length, type, symbol, addend });
    return this.emit(0, 0, 0, 0);
  }

  /** Addresses of the kernel and its modules fit into 32 bits, sign extended. */
  moveAddress(opcode: readonly number[], symbol: string): this {
    return this.emit(...opcode).#field(symbol, R_X86_64["32S"], 0);
  }

  call(symbol: string): this {
    return this.emit(0xe8).#field(symbol, R_X86_64.PLT32, -4);
  }

  jump(symbol: string): this {
    return this.emit(0xe9).#field(symbol, R_X86_64.PLT32, -4);
  }

  return(): this {
    if (!this.#hasReturnThunk) return this.emit(0xc3, 0xcc);
    this.#returns.push(this.#bytes.length);
    return this.jump("__x86_return_thunk").emit(0xcc);
  }

  code(): MachineCode {
    // Where returns through the thunk start.
    const sites = this.#returns.map((at) => ({ section: ".return_sites", at }));
    return { bytes: Buffer.from(this.#bytes), fields: this.#fields, sites };
  }
}

const TO_RDI = [0x48, 0xc7, 0xc7];
const TO_RCX = [0x48, 0xc7, 0xc1];

function displacement(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff];
}

/** Kernel calling convention: the first argument is in rdi, the result in eax. */
export const moduleCode: ModuleCode = {
  init(traits, isHeld) {
    const code = new Assembler(traits);
    if (isHeld)
      code
        .emit(0x48, 0x83, 0xec, 0x08) // sub $8,%rsp
        .moveAddress(TO_RDI, "__this_module")
        .call("__module_get")
        .emit(0x48, 0x83, 0xc4, 0x08); // add $8,%rsp
    return code.moveAddress(TO_RDI, "patch").jump("klp_enable_patch").emit(0xcc).code();
  },
  exit: (traits) => new Assembler(traits).return().code(),
  setModuleExit: (symbol, reference, offsets, traits) =>
    new Assembler(traits)
      .emit(0x48, 0x8b, 0x87, ...displacement(offsets.mod)) // mov mod(%rdi),%rax
      .moveAddress(TO_RCX, symbol)
      .emit(0x48, 0x89, 0x88, ...displacement(offsets.exit)) // mov %rcx,exit(%rax)
      .emit(0x48, 0x83, 0xec, 0x08) // sub $8,%rsp
      .moveAddress(TO_RDI, "__this_module")
      .call(reference)
      .emit(0x48, 0x83, 0xc4, 0x08) // add $8,%rsp
      .emit(0x31, 0xc0) // xor %eax,%eax
      .return()
      .code(),
};
