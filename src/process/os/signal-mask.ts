import { readSignalMask, writeSignalMask } from "./ptrace.ts";
import { SIGNAL_SET_SIZE, SIGTRAP } from "./signals.ts";

/** The kernel's set is one word. */
const TRAP = 1n << BigInt(SIGTRAP - 1);

/** Lets a thread that stands still have SIGTRAP, which it may have blocked, for as long as this lasts. */
export function trapUnblocked(tid: number): Disposable {
  const mask = Buffer.from(new ArrayBuffer(SIGNAL_SET_SIZE));
  if (readSignalMask(tid, mask) !== 0) return { [Symbol.dispose]() {} };
  const [before = 0n] = new BigUint64Array(mask.buffer);
  if ((before & TRAP) === 0n) return { [Symbol.dispose]() {} };
  writeSignalMask(tid, Buffer.from(new BigUint64Array([before & ~TRAP]).buffer));
  return {
    [Symbol.dispose]() {
      writeSignalMask(tid, mask);
    },
  };
}
