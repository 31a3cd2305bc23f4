/** The memory of the process whose threads stand still. */
export interface TargetMemory {
  /**
   * `length` bytes, or undefined where not all of them can be read. The buffer
   * may be the same one that was returned before: what it held is then gone.
   */
  read(address: number, length: number): Buffer | undefined;
}
