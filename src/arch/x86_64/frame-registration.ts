/**
 * Two functions that go along with a livepatch's code: one tells the program's own
 * unwinder (libgcc) of the code's call-frame information, the other takes that back.
 * A word says whether it is told, so that neither does anything twice, whoever
 * calls it and whoever is killed in between.
 */

import type { FrameRegistration } from "../load-abi.ts";

/** struct object of libgcc's unwind-dw2-fde.h takes 48 bytes; the word that says whether it is told, 1 or 0, comes behind it. */
export const REGISTRATION_STATE = 64;
/** Bytes for the unwinder's object and the word, with room for what later versions may add. */
export const UNWINDER_OBJECT_SIZE = 128;

/** Both functions have this size and alignment. */
export const REGISTRATION_SIZE = 64;

/** @param at where they will lie: the one that tells, and behind it the one that takes back */
export function registrationCode(at: number, registration: FrameRegistration): Buffer {
  const told = code(at, registration, 1, registration.register);
  const taken = code(at + REGISTRATION_SIZE, registration, 0, registration.deregister);
  return Buffer.concat([told, taken]);
}

/** Sets the word; calls `callee(frames, object)` where it was another; returns 0. */
function code(at: number, { frames, object }: FrameRegistration, wanted: 0 | 1, callee: number): Buffer {
  const state = object + REGISTRATION_STATE;
  const bytes = Buffer.alloc(REGISTRATION_SIZE, 0xcc);
  const parts = [
    // endbr64; mov $wanted, %eax; xchg %eax, state(%rip)
    Buffer.from([0xf3, 0x0f, 0x1e, 0xfa, 0xb8, wanted, 0, 0, 0, 0x87, 0x05]),
    relative(state - (at + 15)),
    // cmp $wanted, %eax; je end; sub $8, %rsp
    Buffer.from([0x83, 0xf8, wanted, 0x74, 40, 0x48, 0x83, 0xec, 8]),
    // movabs: %rdi, %rsi, %rax; call *%rax; add $8, %rsp
    Buffer.from([0x48, 0xbf]),
    absolute(frames),
    Buffer.from([0x48, 0xbe]),
    absolute(object),
    Buffer.from([0x48, 0xb8]),
    absolute(callee),
    Buffer.from([0xff, 0xd0, 0x48, 0x83, 0xc4, 8]),
    // end: xor %eax, %eax; ret
    Buffer.from([0x31, 0xc0, 0xc3]),
  ];
  Buffer.concat(parts).copy(bytes);
  return bytes;
}

function relative(distance: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(distance);
  return bytes;
}

function absolute(address: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(address));
  return bytes;
}
