/** What unwinding by call-frame information has to know of an architecture. */
export interface UnwindAbi {
  /** How many registers have to be followed; those with larger numbers are never asked for. */
  readonly columns: number;
  /** Registers, by the numbers that call-frame information has for them. */
  readonly framePointer: number;
  readonly stackPointer: number;
  /** The one that holds where a frame goes on. */
  readonly returnAddress: number;
  /** What a call may change. */
  readonly volatile: readonly number[];
  /** At the first instruction of a function: how far the CFA is above the stack pointer, and where the return address lies from there. */
  readonly entry: { readonly cfaOffset: number; readonly returnOffset: number };
  /** Where the kernel's frame for a signal has the interrupted registers, from the stack pointer of what returns from the handler. */
  readonly signalFrame: readonly number[];
  /** How many bytes `knownCode` is to be given. */
  readonly knownCodeSize: number;

  /**
   * What code without frame information is by its bytes: it returns from a signal, by the kernel's frame on the top of
   * the stack; or the stack there is as at a function's entry.
   *
   * @param isReturn whether it was called from there, and will be gone on with
   */
  knownCode(code: Buffer, isReturn: boolean): "signal-return" | "as-entered" | undefined;
}
