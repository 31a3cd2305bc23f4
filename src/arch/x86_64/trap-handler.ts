import type { TrapHandler } from "../hook-abi.ts";

const SIZE = 96;

const CODE = { handler: 0, callReturn: 6, restorer: 8, returned: 17, action: 24, none: 56 } as const;
const SA_RESTORER = 0x0400_0000n;

function code(start: number): Buffer {
  const bytes = Buffer.alloc(SIZE);
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

function action(start: number, wanted: "set" | "none"): number {
  return start + (wanted === "set" ? CODE.action : CODE.none);
}

function callReturn(start: number): { readonly to: number; readonly leaves: number } {
  return { to: start + CODE.callReturn, leaves: start + CODE.returned };
}

/** Bytes by which unwinders know a way back from a signal, too. */
export const trapHandler: TrapHandler = { size: SIZE, code, action, callReturn };
