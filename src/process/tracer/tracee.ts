/**
 * One thread that we trace, and the state it is in: only here is that changed, together with the
 * request to the kernel that makes it so.
 *
 *              ask                 stopped by it
 *   running ---------> asked ----------------------> stopped <--------.
 *      ^                 |  `- stops for a signal, -' |    |          | settleAgain
 *      |                 |     gets it, is asked again|    | drive    | (Tracees)
 *      |   not needed    |                            |    v          |
 *      '-----------------'                            | driven -------'
 *      '----------------------------------------------'
 *                        letGo                             all: ended
 */
import type { Registers } from "../../arch/registers.ts";
import { nativeLinux } from "../os/native.ts";
import type { Os } from "../os/os.ts";
import type { StopPoint } from "../os/perf-event.ts";
import type { WayOn } from "../os/ptrace.ts";

/** Whether a thread stands at its stop point, then goes on only when it is let go by name; `untold`: nobody has heard of it yet. */
type Arrival = "none" | "untold" | "told";

/** What a thread does, as far as we have to do with it. */
export type TraceeState =
  /** Nothing of ours stands in its way, though job control may. */
  | { readonly kind: "running" }
  /** It was told to stop; it may finish what it does in the kernel, and executes no more of the program. */
  | {
      readonly kind: "asked";
      /** Before it is needed. */
      readonly early: boolean;
      readonly arrival: Arrival;
    }
  /** It stands still until we let it go, in the stop that PTRACE_INTERRUPT asks for. */
  | {
      readonly kind: "stopped";
      readonly early: boolean;
      readonly arrival: Arrival;
      /** The process is stopped by SIGSTOP or the like: it is for SIGCONT to let it run. */
      readonly byJobControl: boolean;
    }
  /** It does something for us, and is waited for by that alone. */
  | { readonly kind: "driven"; readonly early: boolean; readonly arrival: Arrival }
  /** It is no more; or it is the first thread and has ended before the others, then it cannot be waited for yet. */
  | { readonly kind: "ended" };

/** A function that the thread was made to call. */
type Call =
  | { readonly kind: "none" }
  /** It has returned when the thread enters a system call with these registers. */
  | { readonly kind: "inside"; readonly pc: number; readonly sp: number }
  /** 32 bits, signed. */
  | { readonly kind: "returned"; readonly value: number };

const RUNNING: TraceeState = { kind: "running" };
const ENDED: TraceeState = { kind: "ended" };
const NO_CALL: Call = { kind: "none" };

/** Each method says for which state it is; called in another one, what the kernel does is not what the state says. */
export class Tracee {
  readonly tid: number;
  /** The process that it is a thread of: mostly the one that is traced, and always one with its memory. */
  readonly pid: number;
  readonly #os: Os;
  #state: TraceeState = RUNNING;
  #stopPoint: StopPoint | undefined;
  #wasWatched = false;
  #call: Call = NO_CALL;
  readonly #registers: Registers;
  /** A system call in which it was stopped, for it to wait on by restart_syscall, and its registers then. */
  #waited: number | undefined;
  readonly #whenItWaited: Registers;
  /** Of this stop: nothing; its registers, its interrupted system call seen to; or that they are other ones now. */
  #known: "nothing" | "registers" | "written" = "nothing";

  constructor(tid: number, pid: number, os: Os) {
    this.tid = tid;
    this.pid = pid;
    this.#os = os;
    this.#registers = os.newRegisters();
    this.#whenItWaited = os.newRegisters();
  }

  get state(): TraceeState {
    return this.#state;
  }

  /** Whether it has had a stop point, whose signal may still be on its way. */
  get wasWatched(): boolean {
    return this.#wasWatched;
  }

  /** Of a thread that runs: has it stop. @param early before it is needed */
  ask(early = false): void {
    this.#state = { kind: "asked", early, arrival: "none" };
    this.#os.interrupt(this.tid);
  }

  /** One that was asked to stop before it is needed is not needed. */
  unask(): void {
    const state = this.#state;
    if (!("early" in state) || !state.early) return;
    if (state.arrival !== "none") this.#state = { ...state, early: false };
    // One that has not stopped yet is let go as soon as it has.
    else if (state.kind === "asked") this.#state = RUNNING;
    else if (state.kind === "stopped") this.letGo();
  }

  /** In the stop that PTRACE_INTERRUPT asks for, or one by job control. Where nobody wants it stopped it goes on at once. */
  hasStopped(byJobControl: boolean): void {
    const state = this.#state;
    switch (state.kind) {
      case "asked":
        this.#state = { ...state, kind: "stopped", byJobControl };
        // At once, though it would do before it goes on: if we are killed the kernel lets it go on as it stands.
        this.seeToCall();
        return;
      case "running":
      case "stopped":
      case "driven":
      case "ended":
        this.#run(byJobControl ? "listen" : this.#wayOn());
    }
  }

  /** Of one that stands still: it runs on, or stays stopped by job control. */
  letGo(): void {
    this.#run(this.#state.kind === "stopped" && this.#state.byJobControl ? "listen" : this.#wayOn());
  }

  #run(way: WayOn): void {
    this.seeToCall();
    this.#known = "nothing";
    this.#state = RUNNING;
    // An error says that it was killed, which a later wait finds.
    this.#os.resume(this.tid, way, 0);
  }

  /** Of one that is in a stop for a signal: it gets it, and stops in the way in which it counts where it was asked to. */
  pass(signal: number): void {
    // Traced, a thread stops for signals too that the program ignores, and whose calls go on otherwise.
    this.seeToCall();
    this.#goOn(signal);
  }

  #goOn(signal: number): void {
    this.#known = "nothing";
    if (this.#state.kind === "asked") this.#os.interrupt(this.tid);
    this.#os.resume(this.tid, this.#wayOn(), signal);
  }

  /** From another kind of stop towards that in which a thread counts as stopped. The signal is delivered before. */
  settle(signal: number): void {
    const { early, arrival } = this.#marks();
    this.#state = { kind: "asked", early, arrival };
    this.pass(signal);
  }

  /** Of one that stands still: it runs until something happens to it, which whoever drives it waits for. */
  drive(way: WayOn, signal: number): void {
    this.#state = { kind: "driven", ...this.#marks() };
    this.#known = "nothing";
    this.#os.resume(this.tid, way, signal);
  }

  #marks(): { readonly early: boolean; readonly arrival: Arrival } {
    const state = this.#state;
    return "early" in state ? { early: state.early, arrival: state.arrival } : { early: false, arrival: "none" };
  }

  /** In the stop for the signal of its stop point: it will stand there. false where nobody waits for that any more, and it goes on. */
  arrive(): boolean {
    if (this.#stopPoint === undefined) {
      this.pass(0);
      return false;
    }
    this.#state = { kind: "asked", early: this.#marks().early, arrival: "untold" };
    this.pass(0);
    return true;
  }

  /** Whether it stands at its stop point and goes on only when it is let go by name. */
  get isHeld(): boolean {
    return this.#state.kind === "stopped" && this.#state.arrival !== "none";
  }

  /** Whether it stands at its stop point now, and that is heard for the first time. */
  hearOfArrival(): boolean {
    const state = this.#state;
    if (state.kind !== "stopped" || state.arrival !== "untold") return false;
    this.#state = { ...state, arrival: "told" };
    return true;
  }

  /** In place of the stop point it has. undefined: none could be had. */
  watch(stopPoint: StopPoint | undefined): void {
    this.unwatch();
    this.#stopPoint = stopPoint;
    this.#wasWatched = true;
  }

  /** What its stop point has caused, and nobody has heard of, is not told any more. */
  unwatch(): void {
    this.disarm();
    const state = this.#state;
    if ("arrival" in state && state.arrival === "untold") this.#state = { ...state, arrival: "none" };
  }

  disarm(): void {
    this.#stopPoint?.[Symbol.dispose]();
    this.#stopPoint = undefined;
  }

  /** By how many bytes its stack pointer may be lower, when it stands at its stop point, than it was there. */
  get mostPushed(): number {
    return this.#stopPoint?.mostPushed ?? 0;
  }

  /** The first thread that has ended before the others is still there; others are no more. */
  end(): void {
    this.#state = ENDED;
  }

  /** Whether it is traced no more, for it to go on; a signal is delivered by that. */
  detach(signal: number): boolean {
    return this.#os.detach(this.tid, signal) === 0;
  }

  /** It was made to call a function: see `Call`. */
  calls(pc: number, sp: number): void {
    this.#call = { kind: "inside", pc, sp };
  }

  /** At a system call: whether by that a function has returned. It goes on. */
  atSystemCall(): void {
    const call = this.#call;
    if (call.kind === "inside" && this.#os.readRegisters(this.tid, this.#registers) === 0) {
      const { pc, sp, firstArgument } = this.#registers;
      if (pc === call.pc && sp === call.sp) this.#call = { kind: "returned", value: firstArgument };
    }
    this.#goOn(0);
  }

  /** What the function has returned that it was made to call; undefined until it has. Told once. */
  takeReturned(): number | undefined {
    if (this.#call.kind !== "returned") return undefined;
    const { value } = this.#call;
    this.#call = NO_CALL;
    return value;
  }

  /** From one system call to the next, where a call is to be seen to return. */
  #wayOn(): WayOn {
    return this.#call.kind === "inside" ? "to-system-call" : "run";
  }

  /**
   * Of one in a stop, before it goes on: a system call that is about to fail with EINTR is left
   * to the kernel's own rule for restarting. So it fails if the program has a handler that runs
   * first, also for a signal that comes only now, and is made again if not. Its time limit
   * starts from the beginning then, if it is relative.
   *
   * @returns 0, or the error number: the thread is no more
   */
  seeToCall(): number {
    if (this.#known !== "nothing") return 0;
    const error = this.#os.readRegisters(this.tid, this.#registers);
    if (error !== 0) return error;
    this.#known = "registers";
    this.#noteCall();
    return this.#registers.leaveInterruptedCall() ? this.#os.writeRegisters(this.tid, this.#registers) : 0;
  }

  /** What its registers do not say any more when it is stopped in the same call again. */
  #noteCall(): void {
    const number = this.#registers.waitsOnBy;
    if (number !== undefined && !isRestart(number)) this.learnCall(number);
  }

  /** Of one that stands still in a system call that it waits on in by restart_syscall: which it is. */
  learnCall(number: number): void {
    this.#waited = number;
    this.#registers.bytes.copy(this.#whenItWaited.bytes);
  }

  /** As its registers have it, and what they do not say any more as it was learnt before. */
  waitsOnBy(): number | undefined {
    const registers = this.registers();
    const number = registers?.waitsOnBy;
    if (registers === undefined || number === undefined || !isRestart(number)) return number;
    return this.#waited !== undefined && registers.isOfSameCall(this.#whenItWaited) ? this.#waited : number;
  }

  /** Of one that stands still; valid until it runs. undefined where it is no more. */
  registers(): Registers | undefined {
    if (this.seeToCall() !== 0) return undefined;
    if (this.#known === "registers") return this.#registers;
    if (this.#os.readRegisters(this.tid, this.#registers) !== 0) return undefined;
    this.#known = "registers";
    return this.#registers;
  }

  /** false where it is no more. */
  setRegisters(registers: Registers): boolean {
    this.#known = "written";
    return this.#os.writeRegisters(this.tid, registers) === 0;
  }

  /** In a stop of which nothing is known yet. */
  meetAnotherStop(): void {
    this.#known = "nothing";
  }
}

function isRestart(number: number): boolean {
  return number === nativeLinux().systemCalls.restartSyscall;
}
