/**
 * A net for tasks that stand at a breakpoint of ours when we are killed: the
 * SIGTRAP that stopped them is then delivered. While tasks are watched, the
 * process has a handler for it that only returns. A program with a handler of its
 * own keeps it, and is not watched.
 */

/** What the net needs at the end of an area. */
export const NET_SIZE = 96;

const CODE = { handler: 0, callReturn: 6, restorer: 8, returned: 17, action: 24, none: 56 } as const;
const SA_RESTORER = 0x0400_0000n;

/** Handler, its way back, and both dispositions (struct kernel_sigaction), as they lie at `start`. */
export function netCode(start: number): Buffer {
  const bytes = Buffer.alloc(NET_SIZE);
  // endbr64; ret
  bytes.set([0xf3, 0x0f, 0x1e, 0xfa, 0xc3], CODE.handler);
  // mov %eax, %edi: what a function of a patch returns is then an argument of the system call
  bytes.set([0x89, 0xc7], CODE.callReturn);
  // mov $15, %rax; syscall: the bytes by which unwinders know a signal's frame
  bytes.set([0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05], CODE.restorer);
  bytes.writeBigUInt64LE(BigInt(start + CODE.handler), CODE.action);
  bytes.writeBigUInt64LE(SA_RESTORER, CODE.action + 8);
  bytes.writeBigUInt64LE(BigInt(start + CODE.restorer), CODE.action + 16);
  return bytes;
}

/** Address of the disposition that sets the net, or takes it away, for a net that lies at `start`. */
export function netAction(start: number, wanted: "set" | "none"): number {
  return start + (wanted === "set" ? CODE.action : CODE.none);
}

/** Where a function that a borrowed thread is made to call returns to, and where that system call is left. */
export function netReturn(start: number): { readonly to: number; readonly leaves: number } {
  return { to: start + CODE.callReturn, leaves: start + CODE.returned };
}
