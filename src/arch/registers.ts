/**
 * The registers of a thread that stands still. What they are called and where they lie in what the
 * kernel hands out is known to one architecture alone.
 */
export interface Registers {
  /** As ptrace(2) fills and takes them. Its memory does not move. */
  readonly bytes: Buffer;
  /** Address of the instruction that is executed next; below 2^53, as all addresses of programs. */
  pc: number;
  /** The stack pointer. */
  sp: number;
  /** What tells threads apart, and leads to what is a thread's own. */
  threadPointer: number;
  /** What a system call that the thread has made has returned, signed. */
  readonly result: number;
  /** The first argument, of the call that is about to be made: 32 bits of it, signed. */
  readonly firstArgument: number;

  /**
   * Of a thread in an interrupted system call that the kernel has wait on by restart_syscall(2): the number of
   * that call, or that of restart_syscall where it was interrupted before and has waited on by it already. undefined: it is in none such.
   */
  readonly waitsOnBy: number | undefined;

  copy(): Registers;

  /** Whether these are what they were in one and the same system call, made on by restart_syscall or not. */
  isOfSameCall(other: Registers): boolean;

  /** Fills by the numbers that call-frame information has for registers: `UnwindAbi.columns` of them. */
  fillColumns(into: Float64Array): void;

  /**
   * Of a thread in a stop whose system call is about to fail with EINTR (epoll_wait, semtimedop,
   * receiving with a time limit and others: signal(7)): leaves it to the kernel's own judgement, as those
   * are that it restarts. Whether anything was changed.
   */
  leaveInterruptedCall(): boolean;

  /**
   * A thread in an interrupted system call becomes one that is about to make that call, as the kernel
   * would have it: returning from a signal restarts none.
   *
   * @param call which it is, of one that waits on by restart_syscall: after a return from a signal that fails
   */
  takeBackCall(call: number | undefined): void;

  /** Makes it a thread that stands at a system call instruction. @param at address of one */
  enterSystemCall(number: number, args: readonly number[], at: number, sp: number): void;

  /** Makes it a thread that stands at the entry of a function without arguments. @param sp where its return address is */
  enterFunction(entry: number, sp: number): void;
}
