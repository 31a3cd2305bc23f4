/** Events of perf_event_open(2) that send SIGTRAP to a thread: hardware breakpoints, and uprobes. */
import { libc } from "./libc.ts";
import { nativeLinux, nativeWords } from "./native.ts";
import { peekSignals, readSignal, SIGINFO_SIZE } from "./ptrace.ts";

/** Where one thread is to be stopped; disarmed by disposing of it. */
export interface StopPoint extends Disposable {
  /** How many bytes less its stack pointer may be when it stops than it was when it came there. */
  readonly mostPushed: number;
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
  const fd = openEvent(attributesOf({ type: TYPE_BREAKPOINT, address }), tid);
  return fd < 0 ? undefined : { mostPushed: 0, [Symbol.dispose]: () => libc().close(fd) };
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
  const address = Number(libc().dlsym(0, "abs"));
  const attributes = attributesOf({ type: TYPE_BREAKPOINT, address });
  const words = nativeWords();
  words.setU64(attributes, ATTRIBUTE.flags, WITHOUT_KERNEL);
  words.setU64(attributes, ATTRIBUTE.period, 0n);
  const fd = openEvent(attributes, 0);
  if (fd < 0) return false;
  libc().abs(1);
  const count = new BigUint64Array(1);
  const size = Number(libc().read(fd, count, count.byteLength));
  libc().close(fd);
  return size === count.byteLength && count[0] !== 0n;
}

/** Size and offsets of `struct perf_event_attr`: linux/perf_event.h. */
const SIZE = 136;
const ATTRIBUTE = {
  type: 0,
  size: 4,
  period: 16,
  flags: 40,
  breakpointType: 52,
  /** Of a breakpoint its address, of a uprobe its path. */
  place: 56,
  /** Of a breakpoint its length, of a uprobe its offset. */
  extent: 64,
  cookie: 120,
} as const;
const TYPE_BREAKPOINT = 5;
const EXECUTE = 4;
const WITHOUT_KERNEL = (1n << 5n) | (1n << 6n);
const REMOVE_ON_EXEC = 1n << 36n;
const SIGNAL = 1n << 37n;

/** Where an event is to be noticed: an address of the thread's own, or a place of a file, wherever that is mapped. */
export type EventPlace =
  | { readonly type: typeof TYPE_BREAKPOINT; readonly address: number }
  /** A uprobe, at this offset of the file of this NUL-terminated name. */
  | { readonly type: number; readonly path: Buffer; readonly offset: number };

/** An event of one thread that sends SIGTRAP each time: a file descriptor, or minus the error number. */
export function openEventAt(place: EventPlace, tid: number): number {
  return openEvent(attributesOf(place), tid);
}

function attributesOf(place: EventPlace): Buffer {
  const attributes = Buffer.alloc(SIZE);
  const words = nativeWords();
  words.setU32(attributes, ATTRIBUTE.type, place.type);
  words.setU32(attributes, ATTRIBUTE.size, SIZE);
  words.setU64(attributes, ATTRIBUTE.period, 1n);
  words.setU64(attributes, ATTRIBUTE.flags, WITHOUT_KERNEL | REMOVE_ON_EXEC | SIGNAL);
  if ("address" in place) {
    words.setU32(attributes, ATTRIBUTE.breakpointType, EXECUTE);
    words.setU64(attributes, ATTRIBUTE.place, BigInt(place.address));
    words.setU64(attributes, ATTRIBUTE.extent, BigInt(nativeLinux().breakpointLength));
  } else {
    words.setU64(attributes, ATTRIBUTE.place, libc().addressOf(place.path));
    words.setU64(attributes, ATTRIBUTE.extent, BigInt(place.offset));
  }
  words.setU64(attributes, ATTRIBUTE.cookie, COOKIE);
  return attributes;
}

const FD_CLOEXEC = 8;

function openEvent(attributes: Buffer, tid: number): number {
  const fd = Number(libc().perfEventOpen(nativeLinux().systemCalls.perfEventOpen, attributes, tid, -1, -1, FD_CLOEXEC));
  return fd === -1 ? -libc().errno() : fd;
}

const IOC_ENABLE = 0x2400;
const IOC_DISABLE = 0x2401;

/** false where the kernel does not do it; the event is off then. */
export function enableEvent(fd: number): boolean {
  return libc().ioctl(fd, IOC_ENABLE, 0) === 0;
}

/** The event notices nothing more; a signal that it has sent may still be on its way. */
export function disableEvent(fd: number): void {
  libc().ioctl(fd, IOC_DISABLE, 0);
}

const signal = Buffer.from(new ArrayBuffer(SIGINFO_SIZE));

/** Whether the signal for which a thread is stopped was sent by a stop point of ours. */
export function isFromStopPoint(tid: number): boolean {
  return readSignal(tid, signal) === 0 && isOurs(signal, 0);
}

const PEEKED = 16;
const pending = Buffer.from(new ArrayBuffer(PEEKED * SIGINFO_SIZE));

/** Whether the signal of a stop point of ours is on its way to a thread that stands still. */
export function isStopPointPending(tid: number): boolean {
  for (let from = 0; ; ) {
    const count = peekSignals(tid, from, pending);
    if (count === 0) return false;
    for (let i = 0; i < count; i++) if (isOurs(pending, i * SIGINFO_SIZE)) return true;
    from += count;
  }
}

/** By `si_code`, and `si_perf_data`: asm-generic/siginfo.h. */
function isOurs(siginfo: Buffer, at: number): boolean {
  const words = nativeWords();
  return words.i32(siginfo, at + 8) === TRAP_PERF && words.u64(siginfo, at + 24) === COOKIE;
}
