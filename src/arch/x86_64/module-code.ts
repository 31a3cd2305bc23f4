/**
 * The few instructions that a livepatch module needs of its own. Kernel calling
 * convention: first argument in rdi, result in eax.
 */
import { R_X86_64 } from "./relocations.ts";

export interface CodeField {
  readonly offset: number;
  readonly type: number;
  /** What the field refers to, by a name that the linker gives a meaning. */
  readonly symbol: string;
  readonly addend: number;
}

export interface Code {
  readonly bytes: Buffer;
  readonly fields: readonly CodeField[];
  /** Where returns through the thunk start, for `.return_sites`. */
  readonly returnSites: readonly number[];
}

/** Puts instructions one behind another. */
class Assembler {
  readonly #bytes: number[] = [];
  readonly #fields: CodeField[] = [];
  readonly #returns: number[] = [];
  readonly #hasReturnThunk: boolean;

  constructor(hasReturnThunk: boolean) {
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

  code(): Code {
    return { bytes: Buffer.from(this.#bytes), fields: this.#fields, returnSites: this.#returns };
  }
}

const TO_RDI = [0x48, 0xc7, 0xc7];
const TO_RCX = [0x48, 0xc7, 0xc1];

function displacement(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, (value >> 24) & 0xff];
}

/**
 * int init(void) { return klp_enable_patch(&patch); }, before it, where the module
 * is to stay for good, a reference on itself. The kernel frees a module whose init
 * fails whatever references there are. klp_enable_patch returns to its caller's
 * caller, so that no frame of this code, which has no tables, is on a stack while
 * stacks are checked.
 */
export function moduleInit(hasReturnThunk: boolean, isHeld: boolean): Code {
  const code = new Assembler(hasReturnThunk);
  if (isHeld)
    code
      .emit(0x48, 0x83, 0xec, 0x08) // sub $8,%rsp
      .moveAddress(TO_RDI, "__this_module")
      .call("__module_get")
      .emit(0x48, 0x83, 0xc4, 0x08); // add $8,%rsp
  return code.moveAddress(TO_RDI, "patch").jump("klp_enable_patch").emit(0xcc).code();
}

/** void exit(void) {} — without one the kernel does not unload a module. */
export function moduleExit(hasReturnThunk: boolean): Code {
  return new Assembler(hasReturnThunk).return().code();
}

/**
 * A livepatch callback: `object->mod->exit = symbol`, and a reference on the
 * livepatch taken or given back, so that it cannot go while the pointer leads
 * into it. Returns 0.
 * @param offsets of `mod` in struct klp_object, of `exit` in struct module
 */
export function setModuleExit(
  symbol: string,
  reference: "__module_get" | "module_put",
  offsets: { readonly mod: number; readonly exit: number },
  hasReturnThunk: boolean,
): Code {
  return new Assembler(hasReturnThunk)
    .emit(0x48, 0x8b, 0x87, ...displacement(offsets.mod)) // mov mod(%rdi),%rax
    .moveAddress(TO_RCX, symbol)
    .emit(0x48, 0x89, 0x88, ...displacement(offsets.exit)) // mov %rcx,exit(%rax)
    .emit(0x48, 0x83, 0xec, 0x08) // sub $8,%rsp
    .moveAddress(TO_RDI, "__this_module")
    .call(reference)
    .emit(0x48, 0x83, 0xc4, 0x08) // add $8,%rsp
    .emit(0x31, 0xc0) // xor %eax,%eax
    .return()
    .code();
}
