/** Redirecting functions of a running process on one machine: jumps at their entries, and the code that these lead to. */
import type { Registers } from "./registers.ts";

/** All code is made for the address at which it will lie. */
export interface HookAbi {
  /** Bytes of a jump at an entry. */
  readonly hookLength: number;
  /** The most bytes that a hook displaces. */
  readonly mostDisplaced: number;
  /** What may have to stay at an entry, before a hook; bytes. */
  readonly mostLandingPad: number;
  /** How much of the code of a function's beginning has to stay, since indirect calls look for it; 0 for nothing. */
  landingPad(code: Buffer): number;
  /** How far code that is placed may be from what it refers to, bytes; a page is to spare. */
  readonly reach: number;
  /** Whether code at `from` can jump to, or refer to, `to`, wherever in 16 bytes it does so. */
  isInReach(from: number, to: number): boolean;
  /** A jump as it lies at `from`. Throws RangeError where `to` is out of reach. */
  jump(from: number, to: number): Buffer;
  /** Where the jump that lies at `from` goes to; undefined where there is none. */
  jumpTarget(from: number, bytes: Uint8Array): number | undefined;

  /** What a hook at a function's entry would overwrite, or why there can be none. */
  displace(code: FunctionCode): Displacement | NoDisplacement;
  /** Largest size of the trampoline. */
  trampolineSize(displacement: Displacement): number;
  /** The displaced instructions as they lie at `start`. Throws RangeError where that cannot be. */
  trampoline(displacement: Displacement, start: number): Trampoline;

  /** Stubs have this size and alignment. */
  readonly stubSize: number;
  /** Tasks in the table go to `behind`, all others to `ahead`. */
  chooseStub(
    start: number,
    hookAt: number,
    to: { readonly behind: number; readonly ahead: number },
    table: BehindTable & { readonly source: ThreadPointerSource },
  ): Buffer;
  /** Jumps to `now` while the byte at `generation.address` is `generation.value`, else to `before`. */
  switchStub(
    start: number,
    hookAt: number,
    to: { readonly before: number; readonly now: number },
    generation: { readonly address: number; readonly value: number },
  ): Buffer;
  /**
   * A thread that stands at `offset` of a stub with these bytes goes back to the hook, with all that the stub has
   * saved by then, as if it had not begun. false for what is no stub.
   *
   * @param read memory of the process
   */
  leaveStub(registers: Registers, bytes: Buffer, offset: number, read: ReadBytes): boolean;
  /** The place where the search for a thread pointer starts, just as the stub computes it. */
  hashPlace(threadPointer: bigint, bits: number): number;
  /** How stubs can read the thread pointer. @param hardware AT_HWCAP2 of the process, 0 where it has none */
  threadPointerSource(hardware: number): ThreadPointerSource;
  /** Whether the processor compares the program's return addresses with a stack of its own. @param status /proc/PID/status */
  hasShadowStack(status: string): boolean;

  /** A handler for SIGTRAP that does nothing, and the way back from it and from functions that are called for us. */
  readonly trapHandler: TrapHandler;
}

/** Reads memory of the process; throws where not all of it can be read. */
export type ReadBytes = (address: number, size: number) => Buffer;

/** A name that the machine has for it; the machine's own stubs alone make something of it. */
export type ThreadPointerSource = "instruction" | "memory";

/** The tasks behind, as the stubs look them up: a hash table with open addressing, in the process. */
export interface BehindTable {
  /** Of 8-byte entries; 0 ends a search. */
  readonly address: number;
  /** Its places are 2^bits, and more behind them for what collides at the end. */
  readonly bits: number;
}

/** A function of a process as it lies in memory; addresses are the process's. */
export interface FunctionCode {
  readonly entry: number;
  /** All code of the function, also its cold parts; the piece with the entry in it starts there. */
  readonly pieces: readonly { readonly start: number; readonly bytes: Uint8Array }[];
  /** What lies between the end of the entry's piece and the next function, as far as that is known. */
  readonly padding: Uint8Array;
  /** Whether the processor compares return addresses with a stack of its own, so that no jump can stand for a call. */
  readonly hasShadowStack?: boolean;
}

/** What a hook overwrites, and what has to be known of it to put it elsewhere. */
export interface Displacement {
  readonly kind: "displacement";
  /** Where the hook is written. */
  readonly hookAt: number;
  /** The original's bytes from `hookAt` on, at least `hookLength`; more where the last instruction ends later. */
  readonly bytes: Buffer;
  /** Offsets in `bytes` at which instructions start; padding has none. */
  readonly instructions: readonly number[];
  /** Whether what comes behind `bytes` is reached from them, so that the trampoline has to jump back. */
  readonly fallsThrough: boolean;
}

/** Why there can be no hook. */
export interface NoDisplacement {
  readonly kind: "none";
  readonly code: "FUNCTION_TOO_SHORT" | "ENTRY_NOT_DISPLACEABLE" | "ENTRY_ACROSS_PAGES";
  /** Part of a sentence about the function. */
  readonly why: string;
}

/** The displaced instructions at their new place, whole: bytes that can be written there as they are. */
export interface Trampoline {
  readonly start: number;
  readonly bytes: Buffer;
  /** Where each address in the trampoline comes from: the offset in it, and the original's address that it stands for. */
  readonly origins: readonly { readonly offset: number; readonly original: number }[];
  /** Of one that ends with a call: the offset where only the jump is left of it, its return address being on the stack. */
  readonly pushed: { readonly offset: number; readonly original: number } | undefined;
}

/** Code of ours for the signal of stop points, should it come when nobody traces any more. */
export interface TrapHandler {
  /** Bytes that it takes. */
  readonly size: number;
  /** As it lies at `start`: the handler, the ways back, and both dispositions (struct kernel_sigaction). */
  code(start: number): Buffer;
  /** Address of the disposition that sets the handler, or takes it away. */
  action(start: number, wanted: "set" | "none"): number;
  /** Where a function that a borrowed thread is made to call returns to, and where that system call is left. */
  callReturn(start: number): { readonly to: number; readonly leaves: number };
}
