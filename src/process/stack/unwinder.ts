import type { Registers } from "../../arch/registers.ts";
import type { Frame, Stack } from "../../core/machine.ts";
import { evaluate } from "../../dwarf/expression.ts";
import { SutureError } from "../../lib/error.ts";
import { type Mapping, mappingsOf } from "../os/mappings.ts";
import { nativeUnwind, nativeWords } from "../os/native.ts";
import { blockedThreads } from "./blocked-threads.ts";
import { CodeMap } from "./code-map.ts";
import { asEnteredRow, type FrameRow, type OtherRule, signalRow } from "./frame-row.ts";
import { ImageStore } from "./images.ts";
import type { Region } from "./regions.ts";
import type { StackArea } from "./stack-areas.ts";
import type { TargetMemory } from "./target-memory.ts";
import { Window } from "./window.ts";

/** A stack with more frames is not followed to its end. */
const MOST_FRAMES = 1 << 16;
/** Milliseconds after which warming up for longer made a first stop no faster. */
const WARM_UP = 10;
/** Stacks that signals have switched away from; the kernel has one alternate stack a thread. */
const MOST_SWITCHES = 64;
const WORD = 8;
/** A stack that is deeper is not searched word by word; bytes. */
const MOST_SEARCHED = 64 << 20;

/**
 * Reads the stacks of a process's threads while these stand still, by call-frame
 * information alone: what it calls reliable has every frame, each exact.
 */
export class Unwinder {
  readonly #pid: number;
  readonly #images: ImageStore;
  readonly #code: CodeMap;
  readonly #window: Window;
  readonly #abi = nativeUnwind();
  /** By the numbers of call-frame information. */
  readonly #registers = new Float64Array(this.#abi.columns);
  /** Values of the caller, until all that depends on the callee's has been found. */
  readonly #callers = new Float64Array(this.#abi.columns);

  /**
   * @param images may be shared by the unwinders of many processes
   * @param mappings of the process, as they are when it is asked
   */
  constructor(
    pid: number,
    memory: TargetMemory,
    images: ImageStore = new ImageStore(),
    mappings: () => readonly Mapping[] = () => mappingsOf(pid),
  ) {
    this.#pid = pid;
    this.#images = images;
    const window = new Window(memory);
    const read = (address: number, length: number): Buffer | undefined => {
      window.forget();
      return memory.read(address, length);
    };
    this.#code = new CodeMap(pid, { read }, images, mappings);
    this.#window = window;
  }

  /**
   * Makes ready for a stop, while the process runs: loads the tables of all that
   * is mapped, and follows the stacks of the threads that are blocked. The first
   * time for a store of images it goes on for `warmUp` milliseconds, so that what
   * a stop will run has been compiled. Throws what fs throws where the process is no more.
   *
   * @param mappings as they are now; read where they are left out
   */
  prepare({ warmUp = WARM_UP, mappings }: { warmUp?: number; mappings?: readonly Mapping[] } = {}): void {
    this.#code.beginStop();
    const known = this.#images.size;
    this.#code.refresh(mappings);
    const isCold = this.#images.isCold();
    // Where all images are those of processes before, what their stacks need is known as well.
    if (!isCold && this.#images.size === known) return;
    const threads = blockedThreads(this.#pid);
    for (const thread of threads) {
      const outermost = this.stack(thread).frames.at(-1);
      thread.threadPointer = (outermost && this.#code.threadPointerAbove(outermost.cfa)) ?? 0;
    }
    if (isCold) this.#code.warmUp(warmUp / 2);
    const end = performance.now() + (isCold ? warmUp / 2 : 0);
    do {
      this.#code.beginStop();
      for (const thread of threads) this.stack(thread);
    } while (threads.length > 0 && performance.now() < end);
  }

  /** All code of ours that is in the process, in place of what was told before. */
  setRegions(regions: readonly Region[]): void {
    this.#code.setRegions(regions);
  }

  /** To be called after the threads have been stopped, before the first `stack` of that stop. */
  beginStop(): void {
    this.#code.beginStop();
  }

  /** The stack of a thread that stands still. */
  stack(registers: Registers): Stack {
    registers.fillColumns(this.#registers);
    return this.#walk(registers.threadPointer);
  }

  /** The row of call-frame information of an address; one with a `problem` where there is none. */
  rowAt(address: number): FrameRow {
    return this.#code.rowAt(address);
  }

  /** The function that an address lies in; undefined where no call-frame information covers it. */
  functionAt(address: number): { readonly start: number; readonly end: number } | undefined {
    return this.#code.functionAt(address);
  }

  /** Whether there may be code at an address. */
  isCode(address: number): boolean {
    return this.#code.isCode(address);
  }

  /**
   * All addresses of code to which a thread that stands still may come by what is in its
   * registers and on its own stack: more than there are, since words of calls that have ended lie
   * there too. `isOnOther`: it runs on another stack now, of which nothing is said here. undefined where it cannot be told.
   *
   * @param isFirst whether it is the process's first thread, whose stack the kernel has made
   */
  reachable(
    registers: Registers,
    isFirst: boolean,
  ): { readonly addresses: number[]; readonly isOnOther: boolean } | undefined {
    registers.fillColumns(this.#registers);
    const stackPointer = registers.sp;
    const area = this.#code.areaOf(stackPointer);
    const { threadPointer } = registers;
    const isOnOther = area === undefined || !this.#code.isOwnStack(area, stackPointer, threadPointer);
    const own =
      this.#code.blockOf(threadPointer) ?? (isFirst || area?.isFirst === true ? this.#code.firstStack() : undefined);
    const start = isOnOther ? own?.start : stackPointer - (stackPointer % WORD);
    const words = own === undefined || start === undefined ? [] : this.#wordsOf(start, own.end);
    if (words === undefined) return undefined;
    const addresses = [...this.#registers, ...words].filter((address) => this.#code.isCode(address));
    return { addresses, isOnOther };
  }

  #wordsOf(start: number, end: number): Float64Array | undefined {
    return end - start > MOST_SEARCHED ? undefined : this.#code.words(start, end);
  }

  #walk(threadPointer: number): Stack {
    const registers = this.#registers;
    const { stackPointer: SP, returnAddress: PC } = this.#abi;
    const frames: Frame[] = [];
    const unreliable = (why: string): Stack => ({ kind: "unreliable", frames, why });
    let stackPointer = registers[SP] as number;
    let area = this.#code.areaOf(stackPointer);
    if (area === undefined) return unreliable(outside(stackPointer));
    this.#window.reset(area.end);
    let isReturn = false;
    let volatile = true;
    let switches = 0;
    while (frames.length < MOST_FRAMES) {
      const ip = this.#code.original(registers[PC] as number);
      const row = this.#rowFor(ip, isReturn);
      if (row.problem !== undefined) {
        if (!this.#code.isOwnStack(area, stackPointer, threadPointer)) return unreliable(outside(stackPointer));
        return unreliable(`no way on from ${this.#code.describe(ip)}: ${row.problem}`);
      }
      const cfa = this.#cfaOf(row);
      if (!row.isSignal && row.returns !== "end" && !(cfa > stackPointer && cfa <= area.end)) {
        return unreliable(`the frame of ${this.#code.describe(ip)} does not lie on the stack above the one before it`);
      }
      frames.push({ ip, isReturn, cfa });
      if (row.returns === "end") return this.#ended(frames, area, stackPointer, threadPointer);
      this.#apply(row, cfa, volatile);
      const next = registers[PC] as number;
      if (next === 0) return this.#ended(frames, area, cfa, threadPointer);
      if (Number.isNaN(next)) return unreliable(`the return address of ${this.#code.describe(ip)} cannot be read`);
      stackPointer = registers[SP] as number;
      isReturn = !row.isSignal;
      volatile = row.isSignal;
      if (!row.isSignal) continue;
      const interrupted: StackArea | undefined = this.#code.areaOf(stackPointer);
      if (interrupted === undefined || ++switches > MOST_SWITCHES) return unreliable(outside(stackPointer));
      if (interrupted !== area) this.#window.reset(interrupted.end);
      area = interrupted;
    }
    return unreliable(`its stack has more than ${MOST_FRAMES} frames`);
  }

  #ended(frames: readonly Frame[], area: StackArea, stackPointer: number, threadPointer: number): Stack {
    if (this.#code.isOwnStack(area, stackPointer, threadPointer)) return { kind: "reliable", frames };
    return { kind: "unreliable", frames, why: outside(stackPointer) };
  }

  #rowFor(ip: number, isReturn: boolean): FrameRow {
    // The call lies before the address that it returns to, which may be another function's, or another row's.
    const row = this.#code.rowAt(isReturn ? ip - 1 : ip);
    if (row.problem === undefined) return row;
    const code = this.#window.bytes(ip, this.#abi.knownCodeSize);
    switch (code && this.#abi.knownCode(code, isReturn)) {
      case "signal-return":
        return signalRow();
      case "as-entered":
        return asEnteredRow();
      case undefined:
        return row;
    }
  }

  #cfaOf(row: FrameRow): number {
    if (row.cfaRegister < 0) return this.#evaluated(row.cfaExpression ?? NO_EXPRESSION, Number.NaN);
    const base = (this.#registers[row.cfaRegister] as number) + row.cfaOffset;
    return row.cfaLoaded ? this.#window.word(base) : base;
  }

  /** Turns the registers of a frame into its caller's. */
  #apply(row: FrameRow, cfa: number, volatile: boolean): void {
    const registers = this.#registers;
    const { framePointer, stackPointer, returnAddress } = this.#abi;
    const { saved, others } = row;
    const gone = row.isEndOfRealigned && this.#framePointerIsGone(cfa, row.returnOffset);
    for (let index = 0; index < others.length; index++) {
      const rule = others[index] as OtherRule;
      if (gone && "base" in rule && rule.base === framePointer)
        this.#callers[rule.register] = registers[rule.register] as number;
      else this.#callers[rule.register] = this.#valueOf(rule, cfa);
    }
    if (volatile && !row.isSignal) for (const register of this.#abi.volatile) registers[register] = Number.NaN;
    for (let index = 0; index < saved.length; index += 2) {
      registers[saved[index] as number] = this.#window.word(cfa + (saved[index + 1] as number));
    }
    if (row.returns === "offset") registers[returnAddress] = this.#window.word(cfa + row.returnOffset);
    registers[stackPointer] = cfa;
    for (let index = 0; index < others.length; index++) {
      const { register } = others[index] as OtherRule;
      registers[register] = this.#callers[register] as number;
    }
  }

  /**
   * gcc does not say that a function which realigned its stack has restored its
   * frame pointer: in the last instructions the rules of the body still stand. Up
   * to then it points above the stack pointer, just below a copy of the return address.
   */
  #framePointerIsGone(cfa: number, returnOffset: number): boolean {
    const registers = this.#registers;
    const pointer = registers[this.#abi.framePointer] as number;
    if (!(pointer >= (registers[this.#abi.stackPointer] as number) && pointer < cfa)) return true;
    return this.#window.word(pointer + 8) !== this.#window.word(cfa + returnOffset);
  }

  #valueOf(rule: OtherRule, cfa: number): number {
    switch (rule.kind) {
      case "unknown":
        return Number.NaN;
      case "at-register":
        return this.#window.word((this.#registers[rule.base] as number) + rule.offset);
      case "register":
        return (this.#registers[rule.base] as number) + rule.offset;
      case "cfa":
        return cfa + rule.offset;
      case "at-expression":
        return this.#window.word(this.#evaluated(rule.expression, cfa));
      case "expression":
        return this.#evaluated(rule.expression, cfa);
    }
  }

  /** NaN where the expression asks for what cannot be had, or is broken. */
  #evaluated(expression: Buffer, cfa: number): number {
    const machine = {
      words: nativeWords(),
      register: (number: number): bigint | undefined => exact(this.#registers[number]),
      memory: (address: bigint, size: number): bigint | undefined => this.#window.value(Number(address), size),
    };
    const first = exact(cfa);
    try {
      const value = evaluate(expression, machine, first === undefined ? [] : [first]);
      return value === undefined ? Number.NaN : Number(value);
    } catch (error) {
      if (error instanceof SutureError) return Number.NaN;
      throw error;
    }
  }
}

const NO_EXPRESSION = Buffer.alloc(0);

function exact(value: number | undefined): bigint | undefined {
  return Number.isSafeInteger(value) ? BigInt(value as number) : undefined;
}

function outside(stackPointer: number): string {
  const place = `0x${stackPointer.toString(16)}`;
  return `its stack pointer ${place} is outside of the thread's own stack, as that of a coroutine or a split stack`;
}
