/** Requests of ptrace(2). Those that can fail return 0, or the error number. */
import type { Registers } from "../../arch/registers.ts";
import { libc } from "./libc.ts";
import { nativeLinux } from "./native.ts";

const PTRACE = {
  cont: 7,
  detach: 17,
  syscall: 24,
  setOptions: 0x4200,
  getSigInfo: 0x4202,
  getRegisterSet: 0x4204,
  seize: 0x4206,
  interrupt: 0x4207,
  listen: 0x4208,
  peekSigInfo: 0x4209,
  getSigMask: 0x420a,
  setSigMask: 0x420b,
  getRseqConfiguration: 0x420f,
  getSyscallUserDispatchConfig: 0x4211,
} as const;

const OPTION_SYSGOOD = 1;
const OPTION_EXEC = 0x10;
const OPTION_SUSPEND_SECCOMP = 1 << 21;
/** Of every thread, but for the time that it is borrowed. */
const OPTIONS = OPTION_SYSGOOD | OPTION_EXEC;

/** Not allowed. */
export const EPERM = 1;
/** No such thread, or it is not in a stop. */
export const ESRCH = 3;

/** `run`; `to-system-call`: until it enters or leaves one; `listen`: a stop by job control stays, and what follows is told. */
export type WayOn = "run" | "to-system-call" | "listen";
const WAY_ON: { readonly [Way in WayOn]: number } = {
  run: PTRACE.cont,
  "to-system-call": PTRACE.syscall,
  listen: PTRACE.listen,
};

function withNumber(request: number, tid: number, data: number): number {
  return libc().ptraceWithNumber(request, tid, 0, data) === -1 ? libc().errno() : 0;
}

function withData(request: number, tid: number, address: number, data: Buffer): number {
  return libc().ptraceWithData(request, tid, address, data) === -1 ? libc().errno() : 0;
}

/** Makes this thread the tracer of another one, which runs on. */
export function seize(tid: number): number {
  return withNumber(PTRACE.seize, tid, OPTIONS);
}

/** Asks a thread that was seized to stop; it does as soon as it would return to the program. */
export function interrupt(tid: number): number {
  return withNumber(PTRACE.interrupt, tid, 0);
}

/** @param signal what it gets, 0 for none */
export function resume(tid: number, way: WayOn, signal: number): number {
  return withNumber(WAY_ON[way], tid, signal);
}

/** Lets a thread that stands still go for good. `signal` is what it gets, 0 for none. */
export function detach(tid: number, signal: number): number {
  return withNumber(PTRACE.detach, tid, signal);
}

/** Whether the thread's seccomp filters are to let pass all. */
export function suspendSeccomp(tid: number, suspend: boolean): number {
  return withNumber(PTRACE.setOptions, tid, suspend ? OPTIONS | OPTION_SUSPEND_SECCOMP : OPTIONS);
}

/** Of a thread that stands still; fills all of `into`. */
export function readRegisters(tid: number, into: Registers): number {
  return withData(nativeLinux().registerRequests.get, tid, 0, into.bytes);
}

/** Of a thread that stands still: it goes on with these. */
export function writeRegisters(tid: number, registers: Registers): number {
  return withData(nativeLinux().registerRequests.set, tid, 0, registers.bytes);
}

/** The vector registers, as the kernel has them in one piece; undefined where it does not give them. */
export function readVectorRegisters(tid: number): Buffer | undefined {
  const { type, mostBytes } = nativeLinux().vectorSet;
  const bytes = Buffer.from(new ArrayBuffer(mostBytes));
  // `struct iovec`: address and size, which the kernel sets to what there is.
  const vector = new BigUint64Array([libc().addressOf(bytes), BigInt(bytes.length)]);
  if (withData(PTRACE.getRegisterSet, tid, type, Buffer.from(vector.buffer)) !== 0) return undefined;
  return bytes.subarray(0, Number(vector[1]));
}

/** The set of signals that a thread that stands still has blocked. */
export function readSignalMask(tid: number, into: Buffer): number {
  return withData(PTRACE.getSigMask, tid, into.length, into);
}

/** The set of signals that a thread that stands still has blocked from now on. */
export function writeSignalMask(tid: number, mask: Buffer): number {
  return withData(PTRACE.setSigMask, tid, mask.length, mask);
}

/** Size of `siginfo_t`, bytes. */
export const SIGINFO_SIZE = 128;

/** Of the signal for which a thread stands still. */
export function readSignal(tid: number, into: Buffer): number {
  return withData(PTRACE.getSigInfo, tid, 0, into);
}

/** `struct ptrace_peeksiginfo_args`: the first number, flags, and how many. */
const peek = new BigUint64Array(new ArrayBuffer(16));
const peekBytes = Buffer.from(peek.buffer);
const peekCount = new Int32Array(peek.buffer, 12);

/** The signals that wait for a thread that stands still, from that number on: how many, as `siginfo_t`, are put into the buffer. */
export function peekSignals(tid: number, from: number, into: Buffer): number {
  peek[0] = BigInt(from);
  peek[1] = 0n;
  peekCount[0] = Math.floor(into.length / SIGINFO_SIZE);
  // The request has an address and data, both pointers.
  const address = libc().addressOf(peekBytes);
  return Math.max(0, Number(libc().ptraceWithData(PTRACE.peekSigInfo, tid, address, into)));
}

/** Where a thread's `struct rseq` is; undefined where it has none, or the kernel does not tell (before 5.13). */
export function restartableArea(tid: number): number | undefined {
  const configuration = new BigUint64Array(3);
  const bytes = Buffer.from(configuration.buffer);
  if (withData(PTRACE.getRseqConfiguration, tid, bytes.length, bytes) !== 0) return undefined;
  const [address = 0n] = configuration;
  return address === 0n ? undefined : Number(address);
}

/**
 * Whether a thread that stands still has its system calls sent to the program as signals
 * (syscall user dispatch), as Wine does. Kernels before 6.4 do not tell.
 */
export function isDispatching(tid: number): boolean {
  // `struct ptrace_sud_config` of linux/ptrace.h: mode, selector, offset, length.
  const config = new BigUint64Array(4);
  const bytes = Buffer.from(config.buffer);
  return withData(PTRACE.getSyscallUserDispatchConfig, tid, bytes.length, bytes) === 0 && config[0] !== 0n;
}
