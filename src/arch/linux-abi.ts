/** What of Linux's interface differs from one architecture to the next, as far as tracing and patching a process needs it. */
import type { Registers } from "./registers.ts";

/** Source of the numbers: the architecture's headers of Linux (uapi/asm). */
export interface LinuxAbi {
  /** All zero. */
  newRegisters(): Registers;
  /** Requests of ptrace(2) by which the kernel fills and takes `Registers.bytes`. */
  readonly registerRequests: { readonly get: number; readonly set: number };
  /** The register set (NT_*) that has the vector registers, and the most bytes that processors have in it. */
  readonly vectorSet: { readonly type: number; readonly mostBytes: number };

  /** Numbers of system calls. */
  readonly systemCalls: {
    readonly kcmp: number;
    readonly keyctl: number;
    readonly mmap: number;
    readonly munmap: number;
    readonly perfEventOpen: number;
    readonly restartSyscall: number;
    readonly rtSigaction: number;
  };
  /** Those that make a process whose maker waits for it. */
  readonly makesChild: ReadonlySet<number>;
  /** Names of those in which threads wait. */
  readonly waitingCalls: ReadonlyMap<number, string>;

  /** The instruction that makes a system call; with a return behind it; and what a C library has to return from a signal. */
  readonly gadgets: {
    readonly systemCall: Buffer;
    readonly systemCallAndReturn: Buffer;
    readonly signalReturns: readonly Buffer[];
  };
  /** How much of the code before a system call says which it is, bytes. */
  readonly systemCallCode: number;
  /**
   * Of a thread that waits on by restart_syscall: the number of the call that it made first, where the
   * code says it. @param before `systemCallCode` bytes, up to its instruction pointer
   */
  callThatCodeSays(before: Buffer): number | undefined;
  /**
   * The same by where it sleeps: a function of the kernel, as /proc/PID/wchan names it; undefined where
   * that is none of those in which such a call sleeps.
   */
  callThatSleepsIn(place: string, registers: Registers): number | undefined;
  /** What a function may use below its stack pointer, bytes. */
  readonly redZone: number;
  /** What one instruction, a call's included, may put on the stack, bytes. */
  readonly mostPushed: number;
  /** Length of an execution breakpoint, as perf_event_open(2) wants it. */
  readonly breakpointLength: number;
  /** The instruction that stops a debugged program. */
  readonly trap: Buffer;
  readonly longestInstruction: number;

  /**
   * The frame that the kernel puts on the stack for a signal handler, made by hand: a thread
   * that returns from a signal by it is again what it was, registers, signal mask, vector registers and all.
   *
   * @param below the frame lies below this address
   * @param restorer address of one of `gadgets.signalReturns`
   */
  signalFrame(after: ThreadState, below: number, restorer: number): SignalFrame;
}

/** What a thread shall have after a signal. */
export interface ThreadState {
  readonly registers: Registers;
  /** Its signal mask, as PTRACE_GETSIGMASK gives it. */
  readonly mask: Buffer;
  /** Its vector registers, as PTRACE_GETREGSET gives `vectorSet`. */
  readonly vector: Buffer;
}

/** The bytes to be written to the thread's stack, and where. */
export interface SignalFrame {
  /** Where the frame starts: what a stack pointer has to be for a function to return to the restorer. */
  readonly address: number;
  readonly bytes: Buffer;
}
