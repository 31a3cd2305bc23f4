import { PTRACE_GETSIGMASK, PTRACE_SETSIGMASK, ptrace, SIGTRAP } from "./linux.ts";

const TRAP = 1 << ((SIGTRAP - 1) % 8);

/** Lets a thread that stands still have SIGTRAP, which it may have blocked, for as long as this lasts. */
export function trapUnblocked(tid: number): Disposable {
  const mask = Buffer.alloc(8);
  if (ptrace(PTRACE_GETSIGMASK, tid, 8, mask) !== 0) return { [Symbol.dispose]() {} };
  const byte = mask[0] as number;
  if ((byte & TRAP) === 0) return { [Symbol.dispose]() {} };
  const without = Buffer.from(mask);
  without[0] = byte & ~TRAP;
  ptrace(PTRACE_SETSIGMASK, tid, 8, without);
  return {
    [Symbol.dispose]() {
      ptrace(PTRACE_SETSIGMASK, tid, 8, mask);
    },
  };
}
