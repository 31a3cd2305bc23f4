/** What code says of calls and returns, by its bytes. */

/** Each answer is by bytes alone, and is one of what may be, not a proof. */
export interface CallCode {
  /** The longest call that is looked at, bytes. */
  readonly longestCall: number;
  /** @param before the bytes right before the address, at least `longestCall` of them where there are so many */
  callsBefore(before: Buffer, address: number): CallsBefore;
  /** Where the pointer lies by which a call that returns to an address leads on, if it says that itself. @param call its bytes */
  slotOfCall(call: Buffer, returnAddress: number): number | undefined;
  /** The direct call that returns to an address: where it lies, and where it leads; undefined where there is none. @param read undefined where not all can be read */
  directCallBefore(returnAddress: number, read: TryRead): { readonly at: number; readonly target: number } | undefined;
  /** Of code at an address that is an entry of a linkage table (PLT): where the pointer lies by which it leads on. */
  linkageSlot(address: number, read: TryRead): number | undefined;
  /** Where a function's code may lead without a return. @param base address of the code's first byte */
  stackFlow(code: Buffer, base: number): StackFlow;
  /**
   * Addresses inside of a function that its own code takes.
   *
   * @param code of the range that starts at `base`
   * @param ranges all of the function's code; where one starts is no label
   */
  innerLabels(code: Buffer, base: number, ranges: readonly CodePiece[]): number[];
  /** Whether code leaves the frame of a function on the stack for another one; also where not all of it can be read. */
  hasCalls(code: Buffer): boolean;
}

/** undefined where not all of it can be read. */
export type TryRead = (address: number, size: number) => Buffer | undefined;

/** Half-open. */
export interface CodePiece {
  readonly start: number;
  readonly end: number;
}

/** The calls that the bytes before an address may be: those of one may be the end of another instruction as well. */
export interface CallsBefore {
  /** Where a call with a target of its own would lead: anywhere, where it is none. */
  readonly target: number | undefined;
  /** Of a call by a register or by memory: its length; undefined where there is none. */
  readonly indirect: number | undefined;
}

/** Where code goes on without a return; addresses are those of the code that was looked at. */
export interface StackFlow {
  /** Whether the stack pointer may be set to what is not derived from itself; also where not all of the code can be read. */
  readonly mayLoad: boolean;
  /** Where branches with displacements lead outside of the code. */
  readonly leads: readonly number[];
  /** Where the pointers lie by which it jumps, as linkage tables do. */
  readonly slots: readonly number[];
  /** Where it jumps by registers or by other memory: through a table, or to another function. */
  readonly jumps: readonly number[];
}
