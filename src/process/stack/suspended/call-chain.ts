/** What a word that may be a return address has above it and below it, by call-frame information: whether it can be a frame at all. */
import type { TryRead } from "../../../arch/call-code.ts";
import { nativeCalls, nativeUnwind, nativeWords, PAGE } from "../../os/native.ts";
import { pointerAt } from "../linkage.ts";
import type { Unwinder } from "../unwinder.ts";
import { Callees, type Leaving } from "./callees.ts";

/** What lies where a frame's return address has to be: another frame's, other code, something that is none, or it is not known where that is. */
export type Above = { readonly kind: "frame" | "code"; readonly at: number } | { readonly kind: "none" | "unknown" };

/** Half-open. */
interface Range {
  readonly start: number;
  readonly end: number;
}

const WORD = 8;
/** How far above its return address a frame pointer points at most. */
const LARGEST_FRAME = 1 << 20;

/** Between two calls of `begin` it takes code to be as it was when it was first read. */
export class CallChain {
  readonly #read: TryRead;
  readonly #unwinder: Unwinder;
  readonly #callees: Callees;
  /** Code by page; it does not change while one looks through memory. */
  readonly #pages = new Map<number, Buffer | undefined>();
  #code: readonly Range[] = [];

  constructor(read: TryRead, unwinder: Unwinder) {
    this.#read = read;
    this.#unwinder = unwinder;
    this.#callees = new Callees(read, {
      isCode: (address) => this.isCode(address),
      functionAt: (address) => unwinder.functionAt(address),
      isAsEntered: (address) => this.isEntry(address),
    });
  }

  /** To be called when the process has run. @param code all that is mapped as executable now */
  begin(code: readonly Range[]): void {
    this.#pages.clear();
    this.#callees.forget();
    this.#code = code;
  }

  isCode(address: number): boolean {
    return this.#code.some(({ start, end }) => start <= address && address < end);
  }

  isReturnAddress(address: number): boolean {
    const { target, indirect } = nativeCalls().callsBefore(this.#before(address), address);
    return indirect !== undefined || (target !== undefined && this.isCode(target));
  }

  /** Whether a function begins there, by what its stack is like. */
  isEntry(address: number): boolean {
    const { problem, cfaRegister, cfaOffset } = this.#unwinder.rowAt(address);
    const { stackPointer, entry } = nativeUnwind();
    return problem === undefined && cfaRegister === stackPointer && cfaOffset === entry.cfaOffset;
  }

  /** Whether a word is the instruction pointer in the kernel's frame for a signal. */
  isInterrupted(at: number): boolean {
    const { signalFrame, returnAddress, knownCodeSize, knownCode } = nativeUnwind();
    // The word that a handler returns by lies right below the frame.
    const restorer = pointerAt(at - (signalFrame[returnAddress] as number) - WORD, this.#read);
    if (restorer === undefined || !this.isCode(restorer)) return false;
    const code = this.#read(restorer, knownCodeSize);
    return code !== undefined && knownCode(code, true) === "signal-return";
  }

  /** What the call does to the stack that returns there. */
  leavingBefore(returnAddress: number): Leaving {
    const before = this.#before(returnAddress);
    const { target, indirect } = nativeCalls().callsBefore(before, returnAddress);
    const direct = target !== undefined && this.isCode(target) ? this.#callees.leaving(target) : "stays";
    if (direct !== "stays" || indirect === undefined) return direct;
    const slot = nativeCalls().slotOfCall(before.subarray(before.length - indirect), returnAddress);
    const callee = slot === undefined ? undefined : pointerAt(slot, this.#read);
    return callee === undefined || !this.isCode(callee) ? "by-pointer" : this.#callees.leaving(callee);
  }

  /** @param at where the return address lies */
  above(at: number, returnAddress: number): Above {
    const row = this.#unwinder.rowAt(returnAddress - 1);
    if (row.problem !== undefined || row.isSignal || row.cfaLoaded || row.returns === "other")
      return { kind: "unknown" };
    if (row.returns === "end") return { kind: "unknown" };
    const { stackPointer, framePointer } = nativeUnwind();
    let base: number | undefined;
    if (row.cfaRegister === stackPointer) base = at + WORD;
    // What was called has mostly saved it first of all.
    else if (row.cfaRegister === framePointer) base = pointerAt(at - WORD, this.#read);
    if (base === undefined || base <= at - WORD || base > at + LARGEST_FRAME) return { kind: "unknown" };
    const next = base + row.cfaOffset + row.returnOffset;
    const address = next > at ? pointerAt(next, this.#read) : undefined;
    if (address === undefined || address === 0) return { kind: "unknown" };
    if (!this.isCode(address)) return { kind: "none" };
    return { kind: this.isReturnAddress(address) ? "frame" : "code", at: next };
  }

  /** Whether some word below is a frame that has its caller's return address just there. @param start of the memory */
  isAboveAny(at: number, start: number): boolean {
    const from = Math.max(start, at - LARGEST_FRAME);
    const bytes = this.#read(from, at - from);
    if (bytes === undefined) return false;
    const words = nativeWords();
    for (let offset = bytes.length - WORD; offset >= 0; offset -= WORD) {
      const address = words.size(bytes, offset);
      if (!this.isCode(address) || !this.isReturnAddress(address)) continue;
      const above = this.above(from + offset, address);
      if ("at" in above && above.at === at) return true;
    }
    return false;
  }

  #before(address: number): Buffer {
    const { longestCall } = nativeCalls();
    const start = address - longestCall;
    const page = start - (start % PAGE);
    if (address > page + PAGE) return this.#read(start, longestCall) ?? Buffer.alloc(0);
    if (!this.#pages.has(page)) {
      const bytes = this.#read(page, PAGE);
      this.#pages.set(page, bytes && Buffer.from(bytes));
    }
    return this.#pages.get(page)?.subarray(start - page, address - page) ?? Buffer.alloc(0);
  }
}
