/** Signals by number, where they are the same on all architectures: signal(7). */
export const SIGTRAP = 5;
/** The largest there is. */
export const MOST_SIGNAL = 64;
/** Size of the kernel's set of signals, bytes. */
export const SIGNAL_SET_SIZE = 8;

/** Whether a signal is in a mask as /proc/PID/status writes it, for instance `SigCgt`. */
export function isInMask(status: string, mask: string, signal: number): boolean {
  const hex = new RegExp(`^${mask}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1];
  return hex !== undefined && ((BigInt(`0x${hex}`) >> BigInt(signal - 1)) & 1n) === 1n;
}
