/** A virtual machine in which one machine's kernels are tried, and what they print there of a fault. */

/** One that QEMU makes, with two serial ports. */
export interface VmAbi {
  /** The program of QEMU. */
  readonly program: string;
  /** Its options for the board, and for a processor that is emulated in software. */
  readonly board: readonly string[];
  readonly emulated: readonly string[];
  /** What the kernel calls its first and its second serial port, below /dev. */
  readonly ports: { readonly console: string; readonly answers: string };
  /** Of the kernel's command line, beside what is the same on every machine. */
  readonly kernelOptions: readonly string[];
  readonly faults: FaultWords;
}

/** Lines of the kernel's log that are worded otherwise on each machine. */
export interface FaultWords {
  /** What a line tells that speaks of an exception in the kernel. */
  readonly oops: RegExp;
  /** What the lines of registers and code begin with that come with one. */
  readonly context: RegExp;
}
