import { close, PTRACE_GETSIGINFO, perfEventOpen, ptrace } from "./linux.ts";

const SIZE = 136;
const TYPE_BREAKPOINT = 5;
const EXECUTE = 4;
const LENGTH = 8;
const EXCLUDE_KERNEL = 1 << 5;
const EXCLUDE_HYPERVISOR = 1 << 6;
const REMOVE_ON_EXEC = 2 ** 36;
const SIGNAL = 2 ** 37;

/** `si_code` of the SIGTRAP that such a breakpoint sends: asm-generic/siginfo.h. */
const TRAP_PERF = 6;
/** Comes back with each signal, so that ours are told from another's. */
const COOKIE = 0x65_7275_7475_73n;
const COOKIE_AT = 120;

/**
 * A hardware breakpoint of one thread, as a file descriptor (perf_event_open(2),
 * `sigtrap`): the thread gets SIGTRAP before it executes the instruction there.
 * Unlike debug registers set by ptrace it is gone when its owner is.
 */
export class Breakpoint implements Disposable {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** undefined where the machine has none left, or does not allow it. */
  static set(tid: number, address: number): Breakpoint | undefined {
    const attributes = Buffer.alloc(SIZE);
    attributes.writeUInt32LE(TYPE_BREAKPOINT, 0);
    attributes.writeUInt32LE(SIZE, 4);
    attributes.writeBigUInt64LE(1n, 16);
    attributes.writeBigUInt64LE(BigInt(EXCLUDE_KERNEL + EXCLUDE_HYPERVISOR + REMOVE_ON_EXEC + SIGNAL), 40);
    attributes.writeUInt32LE(EXECUTE, 52);
    attributes.writeBigUInt64LE(BigInt(address), 56);
    attributes.writeBigUInt64LE(BigInt(LENGTH), 64);
    attributes.writeBigUInt64LE(COOKIE, COOKIE_AT);
    const fd = perfEventOpen(attributes, tid);
    return fd < 0 ? undefined : new Breakpoint(fd);
  }

  [Symbol.dispose](): void {
    close(this.#fd);
  }
}

const signal = Buffer.from(new ArrayBuffer(128));

/** Whether the signal for which a thread is stopped was sent by a breakpoint of ours. */
export function isFromBreakpoint(tid: number): boolean {
  if (ptrace(PTRACE_GETSIGINFO, tid, 0, signal) !== 0) return false;
  return signal.readInt32LE(8) === TRAP_PERF && signal.readBigUInt64LE(24) === COOKIE;
}
