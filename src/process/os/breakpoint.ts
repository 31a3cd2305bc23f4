import koffi from "koffi";
import { close, PTRACE_GETSIGINFO, peekSignals, perfEventOpen, ptrace, read, SIGINFO_SIZE } from "./linux.ts";

/** Where one thread is to be stopped; disarmed by disposing of it. */
export interface StopPoint extends Disposable {
  /** How many bytes less its stack pointer may be when it stops than it was when it came there. */
  readonly slack: number;
}

/** `si_code` of the SIGTRAP that such an event sends: asm-generic/siginfo.h. */
const TRAP_PERF = 6;
/** Comes back with each signal, so that ours are told from another's. */
const COOKIE = 0x65_7275_7475_73n;

/**
 * A hardware breakpoint of one thread, as a file descriptor (perf_event_open(2),
 * `sigtrap`): the thread gets SIGTRAP before it executes the instruction there.
 * Unlike debug registers set by ptrace it is gone when its owner is. undefined
 * where the machine has none, has none left, or does not allow it.
 */
export function setBreakpoint(tid: number, address: number): StopPoint | undefined {
  if (!areBreakpointsHit()) return undefined;
  const fd = perfEventOpen(attributesOf({ type: TYPE_BREAKPOINT, address }), tid);
  return fd < 0 ? undefined : { slack: 0, [Symbol.dispose]: () => close(fd) };
}

let hit: boolean | undefined;

/**
 * Whether breakpoints have an effect on this machine, tried on this thread once: some
 * virtual machines let them be set and never stop at one.
 */
function areBreakpointsHit(): boolean {
  hit ??= isCounted();
  return hit;
}

function isCounted(): boolean {
  const libc = koffi.load("libc.so.6");
  const address = Number(libc.func("uintptr_t dlsym(uintptr_t handle, const char *name)")(0, "abs"));
  const attributes = attributesOf({ type: TYPE_BREAKPOINT, address });
  attributes.writeBigUInt64LE(WITHOUT_KERNEL, FLAGS_AT);
  attributes.writeBigUInt64LE(0n, PERIOD_AT);
  const fd = perfEventOpen(attributes, 0);
  if (fd < 0) return false;
  libc.func("int abs(int number)")(1);
  const count = Buffer.alloc(8);
  const size = read(fd, count);
  close(fd);
  return size === count.length && count.readBigUInt64LE() > 0n;
}

const SIZE = 136;
const PERIOD_AT = 16;
const FLAGS_AT = 40;
const TYPE_BREAKPOINT = 5;
const EXECUTE = 4;
const LENGTH = 8;
const WITHOUT_KERNEL = (1n << 5n) | (1n << 6n);
const REMOVE_ON_EXEC = 1n << 36n;
const SIGNAL = 1n << 37n;

export type EventPlace =
  | { readonly type: typeof TYPE_BREAKPOINT; readonly address: number }
  /** A uprobe, at this offset of the file of this NUL-terminated name. */
  | { readonly type: number; readonly path: Buffer; readonly offset: number };

/** `struct perf_event_attr` of an event that sends SIGTRAP each time: linux/perf_event.h. */
export function attributesOf(place: EventPlace): Buffer {
  const attributes = Buffer.alloc(SIZE);
  attributes.writeUInt32LE(place.type, 0);
  attributes.writeUInt32LE(SIZE, 4);
  attributes.writeBigUInt64LE(1n, PERIOD_AT);
  attributes.writeBigUInt64LE(WITHOUT_KERNEL | REMOVE_ON_EXEC | SIGNAL, FLAGS_AT);
  if ("address" in place) {
    attributes.writeUInt32LE(EXECUTE, 52);
    attributes.writeBigUInt64LE(BigInt(place.address), 56);
    attributes.writeBigUInt64LE(BigInt(LENGTH), 64);
  } else {
    attributes.writeBigUInt64LE(koffi.address(place.path), 56);
    attributes.writeBigUInt64LE(BigInt(place.offset), 64);
  }
  attributes.writeBigUInt64LE(COOKIE, 120);
  return attributes;
}

const signal = Buffer.from(new ArrayBuffer(SIGINFO_SIZE));

/** Whether the signal for which a thread is stopped was sent by a stop point of ours. */
export function isFromStopPoint(tid: number): boolean {
  return ptrace(PTRACE_GETSIGINFO, tid, 0, signal) === 0 && isOurs(signal);
}

const PEEKED = 16;
const pending = Buffer.from(new ArrayBuffer(PEEKED * SIGINFO_SIZE));

/** Whether the signal of a stop point of ours is on its way to a thread that stands still. */
export function isStopPointPending(tid: number): boolean {
  for (let from = 0; ; ) {
    const count = peekSignals(tid, from, pending);
    if (count === 0) return false;
    for (let i = 0; i < count; i++) if (isOurs(pending.subarray(i * SIGINFO_SIZE))) return true;
    from += count;
  }
}

function isOurs(siginfo: Buffer): boolean {
  return siginfo.readInt32LE(8) === TRAP_PERF && siginfo.readBigUInt64LE(24) === COOKIE;
}
