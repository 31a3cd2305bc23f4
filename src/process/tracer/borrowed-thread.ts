import { SutureError } from "../../lib/error.ts";
import {
  PTRACE_GETREGS,
  PTRACE_GETREGSET,
  PTRACE_GETSIGMASK,
  PTRACE_SETREGS,
  PTRACE_SETSIGMASK,
  ptrace,
  ptraceRegisterSet,
} from "../os/linux.ts";
import type { ProcessMemory } from "../os/memory.ts";
import type { Gadgets } from "./gadgets.ts";
import { putBackInterrupted } from "./interrupted-call.ts";
import { whereToGoOn } from "./restartable.ts";
import { REGISTER, signalFrame } from "./signal-frame.ts";
import type { Tracee } from "./tracee.ts";
import type { Tracees } from "./tracees.ts";

/** What the System V psABI lets a function use below its stack pointer, bytes. */
const RED_ZONE = 128;
const VECTOR_STATE = 0x202;
/** The largest state of today's processors, with AMX, is below this. */
const MOST_VECTOR_BYTES = 1 << 14;
const NO_SYSTEM_CALL = 2n ** 64n - 1n;
/** Clear at the entry of every function: System V psABI. */
const DIRECTION_FLAG = 0x400;
const ALL_SIGNALS = Buffer.alloc(8, 0xff);

/** `mov $number,%eax; syscall`. */
const SYSTEM_CALL_CODE = 7;
const MOV_EAX = 0xb8;
const SYSCALL = Buffer.from([0x0f, 0x05]);
const RESTART_SYSCALL = 219n;
/** What restart_syscall stands for: poll, nanosleep, futex, clock_nanosleep. */
const WAITING_ON = new Set([7n, 35n, 202n, 230n]);

/** ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK: include/linux/errno.h. */
const RESTARTED = new Set([-512n, -513n, -514n, -516n]);

/** A thread that stands still and does something for us, and what it was before. */
export class BorrowedThread {
  readonly #tracee: Tracee;
  readonly #tracees: Tracees;
  readonly #memory: ProcessMemory;
  readonly #gadgets: Gadgets;
  readonly #original: Buffer;
  /** The same with the system call that it was in taken back, so that it is made again. */
  readonly #restarted: Buffer;
  readonly #mask = Buffer.alloc(8);
  readonly #frame: number;
  /** What was where the frame is: nothing of the program's, but on a stack that is too small. */
  readonly #below: Buffer | undefined;
  /** Whether the thread finds back by itself if we end before it is given back. */
  readonly healsItself: boolean;

  /**
   * Takes a thread that stands still. From here on it finds its way back by itself:
   * what is done next in it returns into rt_sigreturn(2), with all that it was in a
   * signal frame below its stack.
   *
   * Throws `TARGET_GONE`, `SECCOMP_FILTERED`.
   */
  constructor(tracee: Tracee, tracees: Tracees, memory: ProcessMemory, gadgets: Gadgets) {
    this.#tracee = tracee;
    this.#tracees = tracees;
    this.#memory = memory;
    this.#gadgets = gadgets;
    const { tid } = tracee;
    this.#must(putBackInterrupted(tracee));
    this.#original = Buffer.from(tracee.registers);
    this.#must(ptrace(PTRACE_GETSIGMASK, tid, 8, this.#mask));
    const ip = Number(this.#original.readBigUInt64LE(REGISTER.rip));
    set(this.#original, REGISTER.rip, whereToGoOn(tid, ip, memory));
    const code = memory.tryRead(ip - SYSTEM_CALL_CODE, SYSTEM_CALL_CODE);
    this.#restarted = withSystemCallTakenBack(this.#original, code);
    const below = Number(this.#original.readBigUInt64LE(REGISTER.rsp)) - RED_ZONE;
    const vector = Buffer.alloc(MOST_VECTOR_BYTES);
    const size = ptraceRegisterSet(PTRACE_GETREGSET, tid, VECTOR_STATE, vector);
    this.#frame = below - (below % 16) - 8;
    this.healsItself = false;
    if (size !== undefined && gadgets.signalReturn !== undefined) {
      const state = vector.subarray(0, size);
      const frame = signalFrame(this.#restarted, this.#mask, state, below, gadgets.signalReturn);
      this.#below = memory.tryRead(frame.address, frame.bytes.length);
      // Where there is no stack for it, the thread is given back by us alone.
      if (this.#below !== undefined) {
        memory.write(frame.address, frame.bytes);
        this.#frame = frame.address;
        this.healsItself = true;
      }
    }
    if (tracees.suspendFilters(tracee)) return;
    throw new SutureError("SECCOMP_FILTERED", "the program filters its system calls, and ours would be among them", {
      where: `pid ${tracees.pid}, thread ${tid}`,
      hint: "run suture as root (CAP_SYS_ADMIN), not itself below a seccomp filter: then they are let through",
    });
  }

  /** Makes a system call in the thread; what it returns, signed: negative error numbers as the kernel gives them. */
  systemCall(number: number, args: readonly number[]): number {
    const registers = Buffer.from(this.#restarted);
    set(registers, REGISTER.rax, number);
    const places = [REGISTER.rdi, REGISTER.rsi, REGISTER.rdx, REGISTER.r10, REGISTER.r8, REGISTER.r9];
    places.forEach((place, index) => {
      set(registers, place, args[index] ?? 0);
    });
    set(registers, REGISTER.rip, this.#gadgets.systemCall);
    set(registers, REGISTER.rsp, this.#frame);
    registers.writeBigUInt64LE(NO_SYSTEM_CALL, REGISTER.origRax);
    this.#must(ptrace(PTRACE_SETREGS, this.#tracee.tid, 0, registers));
    this.#must(ptrace(PTRACE_SETSIGMASK, this.#tracee.tid, 8, ALL_SIGNALS));
    // Once to the call's entry, once to its exit.
    if (!this.#tracees.stepToSystemCall(this.#tracee) || !this.#tracees.stepToSystemCall(this.#tracee))
      throw this.#gone();
    this.#must(ptrace(PTRACE_GETREGS, this.#tracee.tid, 0, registers));
    return Number(registers.readBigInt64LE(REGISTER.rax));
  }

  /**
   * Has the thread run a function without arguments, with 16-byte aligned stack, and
   * lets it go on from where it was when that returns, without us. What it returns is then
   * the tracee's `call`.
   *
   * @param to code of ours to return to: it moves the result to the first argument of
   * a system call, and makes that of a signal's return, which it leaves at `leaves`
   */
  enter(entry: number, { to, leaves }: { readonly to: number; readonly leaves: number }): void {
    if (!this.healsItself) {
      throw new SutureError("CALL_NOT_POSSIBLE", "no thread of the process can call a function for us", {
        where: `pid ${this.#tracees.pid}, thread ${this.#tracee.tid}`,
        hint: "its program has no rt_sigreturn of its own, or no stack; leave out the callbacks of the livepatch",
      });
    }
    const registers = Buffer.from(this.#restarted);
    set(registers, REGISTER.rax, 0);
    set(registers, REGISTER.rip, entry);
    set(registers, REGISTER.rsp, this.#frame);
    registers.writeBigUInt64LE(NO_SYSTEM_CALL, REGISTER.origRax);
    registers.writeUInt32LE(registers.readUInt32LE(REGISTER.eflags) & ~DIRECTION_FLAG, REGISTER.eflags);
    const returnAddress = Buffer.alloc(8);
    set(returnAddress, 0, to);
    this.#memory.write(this.#frame, returnAddress);
    this.#must(ptrace(PTRACE_SETREGS, this.#tracee.tid, 0, registers));
    this.#tracee.call = { rip: leaves, rsp: this.#frame + 8 };
    // The function is the program's from here on, and its filters hold for it.
    this.#tracees.restoreFilters(this.#tracee);
  }

  /**
   * The thread is again what it was, and stands still. The mask first: until the
   * registers are back it would find back by itself.
   */
  giveBack(): void {
    const { tid } = this.#tracee;
    ptrace(PTRACE_SETSIGMASK, tid, 8, this.#mask);
    ptrace(PTRACE_SETREGS, tid, 0, this.#original);
    // In this stop the kernel finds the system call that the registers are in, and restarts or ends it as signals have it.
    if (!this.#tracees.settleAgain(this.#tracee)) return;
    if (this.#below !== undefined) this.#memory.write(this.#frame, this.#below);
    this.#tracees.restoreFilters(this.#tracee);
  }

  #must(error: number): void {
    if (error !== 0) throw this.#gone();
  }

  #gone(): SutureError {
    return new SutureError("TARGET_GONE", "the process ended while it was used", {
      where: `pid ${this.#tracees.pid}, thread ${this.#tracee.tid}`,
      hint: "nothing is left there",
    });
  }
}

/**
 * A thread in an interrupted system call becomes one that is about to make that call,
 * as the kernel would have it: rt_sigreturn restarts none. One that would go on after the time that
 * it has waited already (restart_syscall) waits anew: rt_sigreturn has it fail otherwise.
 *
 * @param code what lies before its instruction pointer
 */
function withSystemCallTakenBack(original: Buffer, code: Buffer | undefined): Buffer {
  const registers = Buffer.from(original);
  let number = registers.readBigInt64LE(REGISTER.origRax);
  registers.writeBigUInt64LE(NO_SYSTEM_CALL, REGISTER.origRax);
  if (number < 0n || !RESTARTED.has(registers.readBigInt64LE(REGISTER.rax))) return registers;
  // Interrupted a second time its number is lost; but the program says it, mostly right before.
  if (number === RESTART_SYSCALL && code?.[0] === MOV_EAX && code.subarray(5).equals(SYSCALL)) {
    const said = BigInt(code.readUInt32LE(1));
    if (WAITING_ON.has(said)) number = said;
  }
  registers.writeBigInt64LE(number, REGISTER.rax);
  registers.writeBigUInt64LE(registers.readBigUInt64LE(REGISTER.rip) - 2n, REGISTER.rip);
  return registers;
}

function set(registers: Buffer, place: number, value: number): void {
  registers.writeBigInt64LE(BigInt(value), place);
}
