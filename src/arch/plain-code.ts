/**
 * Instructions as the audit reads them. Of `Code` it takes where an instruction ends and
 * its relative field lies, and nothing of what the object diff thinks of it.
 */
export interface PlainCode {
  /** A call or jump in a form that is the same for every length of its displacement. */
  branchText(code: Buffer, at: number, length: number): string;
  /** Whether an instruction does nothing and is there to fill up. @param text its bytes in hexadecimal */
  isFiller(text: string): boolean;
  /** Whether it loads or compares what lies in memory, so that the address goes nowhere. */
  isRead(instruction: Buffer): boolean;
  /** The number that it hands on, where one form of it is longer than another; undefined for any other instruction. */
  passedNumber(instruction: Buffer): number | undefined;
  /** Bytes from a function's entry on in which the kernel, or a livepatch, puts a call or a jump. */
  readonly entryBytes: number;
  /** What stands at `at` of an entry, and how far from there it leads, bytes; undefined for anything else. */
  entryBranch(entry: Buffer, at: number): { readonly kind: "call" | "jump"; readonly distance: number } | undefined;
  /** Length of the instruction that a table's entry is about, where it cannot be read. */
  readonly patchedBytes: number;
}
