/** What a word that may be a return address has above it, by call-frame information: whether it can be a frame at all. */
import { calledBefore, isBehindCall, LONGEST_CALL } from "../../../arch/x86_64/return-address.ts";
import { RBP, RSP } from "../unwind/registers.ts";
import type { Unwinder } from "../unwind/unwinder.ts";

/** `undefined` where not all of it can be read. */
export type Read = (address: number, size: number) => Buffer | undefined;

/** What lies where a frame's return address has to be: another frame, something that is none, or it is not known where that is. */
export type Above = { readonly kind: "frame"; readonly at: number } | { readonly kind: "none" | "unknown" };

const PAGE = 4096;
const WORD = 8;
/** How far above its return address a frame pointer points at most. */
const LARGEST_FRAME = 1 << 20;
/** Of the kernel's frame for a signal, from the word that a handler returns by to the interrupted instruction pointer. */
const SIGNAL_IP = 176;
/** `mov $15, %eax` and `mov $15, %rax`. */
const SIGNAL_RETURNS = [Buffer.from("b80f000000", "hex"), Buffer.from("48c7c00f000000", "hex")];

export class CallChain {
  readonly #read: Read;
  readonly #unwinder: Unwinder;
  /** Code by page; it does not change while one looks through memory. */
  readonly #pages = new Map<number, Buffer | undefined>();

  constructor(read: Read, unwinder: Unwinder) {
    this.#read = read;
    this.#unwinder = unwinder;
  }

  /** To be called when the process has run. */
  forget(): void {
    this.#pages.clear();
  }

  isReturnAddress(address: number): boolean {
    return isBehindCall(this.#before(address));
  }

  /** Whether a function begins there, by what its stack is like. */
  isEntry(address: number): boolean {
    const { problem, cfaRegister, cfaOffset } = this.#unwinder.rowAt(address);
    return problem === undefined && cfaRegister === RSP && cfaOffset === WORD;
  }

  /** Whether a word is the instruction pointer in the kernel's frame for a signal. */
  isInterrupted(at: number): boolean {
    const restorer = this.#word(at - SIGNAL_IP);
    if (restorer === undefined || !this.#unwinder.isCode(restorer)) return false;
    return SIGNAL_RETURNS.some((code) => this.#read(restorer, code.length)?.equals(code) === true);
  }

  /** Whether code that a call leads to, whose return address this is, says how it uses its stack; calls by pointers may lead anywhere. */
  isCalleeDescribed(returnAddress: number): boolean {
    const callee = calledBefore(this.#before(returnAddress), returnAddress);
    return callee === undefined || this.#unwinder.rowAt(callee).problem === undefined;
  }

  /** @param at where the return address lies */
  above(at: number, returnAddress: number): Above {
    const row = this.#unwinder.rowAt(returnAddress - 1);
    if (row.problem !== undefined || row.isSignal || row.cfaLoaded || row.returns === "other")
      return { kind: "unknown" };
    if (row.returns === "end") return { kind: "unknown" };
    let base: number | undefined;
    if (row.cfaRegister === RSP) base = at + WORD;
    // What was called has mostly saved it first of all.
    else if (row.cfaRegister === RBP) base = this.#word(at - WORD);
    if (base === undefined || base <= at - WORD || base > at + LARGEST_FRAME) return { kind: "unknown" };
    const next = base + row.cfaOffset + row.returnOffset;
    const address = next > at ? this.#word(next) : undefined;
    if (address === undefined || address === 0) return { kind: "unknown" };
    if (!this.#unwinder.isCode(address)) return { kind: "none" };
    return this.isReturnAddress(address) ? { kind: "frame", at: next } : { kind: "unknown" };
  }

  #word(address: number): number | undefined {
    const bytes = this.#read(address, WORD);
    return bytes && bytes.readUInt32LE(0) + bytes.readUInt32LE(4) * 2 ** 32;
  }

  #before(address: number): Buffer {
    const start = address - LONGEST_CALL;
    const page = start - (start % PAGE);
    if (address > page + PAGE) return this.#read(start, LONGEST_CALL) ?? Buffer.alloc(0);
    if (!this.#pages.has(page)) {
      const bytes = this.#read(page, PAGE);
      this.#pages.set(page, bytes && Buffer.from(bytes));
    }
    return this.#pages.get(page)?.subarray(start - page, address - page) ?? Buffer.alloc(0);
  }
}
