import type { Registers } from "../../arch/registers.ts";
import { EXIT, SutureError } from "../../lib/error.ts";
import type { ProcessMemory } from "../os/memory.ts";
import { nativeLinux } from "../os/native.ts";
import { readRegisters, readSignalMask, readVectorRegisters, writeRegisters, writeSignalMask } from "../os/ptrace.ts";
import { SIGNAL_SET_SIZE } from "../os/signals.ts";
import { findCall } from "./find-call.ts";
import type { Gadgets } from "./gadgets.ts";
import { whereToGoOn } from "./restartable.ts";
import type { Tracee } from "./tracee.ts";
import type { Tracees } from "./tracees.ts";

const ALL_SIGNALS = Buffer.alloc(SIGNAL_SET_SIZE, 0xff);
const WORD = 8;

/** A thread that stands still and does something for us, and what it was before. */
export class BorrowedThread {
  readonly #tracee: Tracee;
  readonly #tracees: Tracees;
  readonly #memory: ProcessMemory;
  readonly #gadgets: Gadgets;
  readonly #original: Registers;
  /** The same with the system call that it was in taken back, so that it is made again. */
  readonly #restarted: Registers;
  readonly #mask = Buffer.alloc(SIGNAL_SET_SIZE);
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
   * Throws `TARGET_GONE`, `SECCOMP`, `CALL_UNKNOWN`.
   */
  constructor(tracee: Tracee, tracees: Tracees, memory: ProcessMemory, gadgets: Gadgets) {
    this.#tracee = tracee;
    this.#tracees = tracees;
    this.#memory = memory;
    this.#gadgets = gadgets;
    const { tid } = tracee;
    const linux = nativeLinux();
    findCall(tracee, tracees, memory);
    const registers = tracee.registers();
    if (registers === undefined) throw this.#gone();
    this.#original = registers.copy();
    this.#must(readSignalMask(tid, this.#mask));
    const { pc } = registers;
    this.#original.pc = whereToGoOn(tid, pc, memory);
    this.#restarted = this.#original.copy();
    this.#restarted.takeBackCall(tracee.waitsOnBy());
    const below = this.#original.sp - linux.redZone;
    const vector = readVectorRegisters(tid);
    this.#frame = below - (below % 16) - WORD;
    this.healsItself = false;
    if (vector !== undefined && gadgets.signalReturn !== undefined) {
      const frame = linux.signalFrame(
        { registers: this.#restarted, mask: this.#mask, vector },
        below,
        gadgets.signalReturn,
      );
      this.#below = memory.tryRead(frame.address, frame.bytes.length);
      // Where there is no stack for it, the thread is given back by us alone.
      if (this.#below !== undefined) {
        memory.write(frame.address, frame.bytes);
        this.#frame = frame.address;
        this.healsItself = true;
      }
    }
    if (tracees.suspendFilters(tracee)) return;
    throw new SutureError("SECCOMP", "the program filters its system calls, and ours would be among them", {
      where: `pid ${tracees.pid}, thread ${tid}`,
      hint: "run suture as root (CAP_SYS_ADMIN), not itself below a seccomp filter: then they are let through",
      exit: EXIT.refused,
    });
  }

  /** Makes a system call in the thread; what it returns, signed: negative error numbers as the kernel gives them. */
  systemCall(number: number, args: readonly number[]): number {
    const registers = this.#restarted.copy();
    registers.enterSystemCall(number, args, this.#gadgets.systemCall, this.#frame);
    this.#must(writeRegisters(this.#tracee.tid, registers));
    this.#must(writeSignalMask(this.#tracee.tid, ALL_SIGNALS));
    // Once to the call's entry, once to its exit.
    if (!this.#tracees.stepToSystemCall(this.#tracee) || !this.#tracees.stepToSystemCall(this.#tracee))
      throw this.#gone();
    this.#must(readRegisters(this.#tracee.tid, registers));
    return registers.result;
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
    const registers = this.#restarted.copy();
    registers.enterFunction(entry, this.#frame);
    this.#memory.write(this.#frame, Buffer.from(new BigUint64Array([BigInt(to)]).buffer));
    if (!this.#tracee.setRegisters(registers)) throw this.#gone();
    this.#tracee.calls(leaves, this.#frame + WORD);
    // The function is the program's from here on, and its filters hold for it.
    this.#tracees.restoreFilters(this.#tracee);
  }

  /**
   * The thread is again what it was, and stands still. The mask first: until the
   * registers are back it would find back by itself.
   */
  giveBack(): void {
    const { tid } = this.#tracee;
    writeSignalMask(tid, this.#mask);
    writeRegisters(tid, this.#original);
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
