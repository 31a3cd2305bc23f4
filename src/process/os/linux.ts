/**
 * The system calls that tracing needs and Node has not, by way of the C library.
 * All of them run on the calling thread: a tracer is a thread, not a process.
 */
import koffi from "koffi";

const libc = koffi.load("libc.so.6");

const ptraceWithData = libc.func("long ptrace(int request, int pid, uintptr_t address, void *data)");
const ptraceWithNumber = koffi
  .load("libc.so.6")
  .func("long ptrace(int request, int pid, uintptr_t address, uintptr_t data)");
const waitpidCall = libc.func("int waitpid(int pid, void *status, int options)");
const waitidCall = libc.func("int waitid(int type, int id, void *info, int options)");
const syscall6 = libc.func(
  "long syscall(long number, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f)",
);
const perfEventOpenCall = koffi
  .load("libc.so.6")
  .func("long syscall(long number, void *attributes, long pid, long cpu, long group, unsigned long flags)");
const readCall = libc.func("int64_t read(int fd, void *bytes, size_t count)");
const preadCall = libc.func("int64_t pread(int fd, void *bytes, size_t count, int64_t offset)");
const pwriteCall = libc.func("int64_t pwrite(int fd, const void *bytes, size_t count, int64_t offset)");
const schedSetscheduler = libc.func("int sched_setscheduler(int pid, int policy, void *parameters)");
const schedGetscheduler = libc.func("int sched_getscheduler(int pid)");

export const PTRACE_CONT = 7;
export const PTRACE_GETREGS = 12;
export const PTRACE_SETREGS = 13;
export const PTRACE_DETACH = 17;
export const PTRACE_SYSCALL = 24;
export const PTRACE_SETOPTIONS = 0x4200;
export const PTRACE_GETSIGINFO = 0x4202;
export const PTRACE_GETREGSET = 0x4204;
export const PTRACE_SEIZE = 0x4206;
export const PTRACE_INTERRUPT = 0x4207;
export const PTRACE_LISTEN = 0x4208;
const PTRACE_PEEKSIGINFO = 0x4209;
export const PTRACE_GETSIGMASK = 0x420a;
export const PTRACE_SETSIGMASK = 0x420b;

export const PTRACE_GET_RSEQ_CONFIGURATION = 0x420f;
export const PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG = 0x4211;

export const OPTION_SYSGOOD = 1;
export const OPTION_EXEC = 0x10;
export const OPTION_SUSPEND_SECCOMP = 1 << 21;

export const SIGTRAP = 5;

export const EPERM = 1;
export const ESRCH = 3;
const EINTR = 4;

const WNOHANG = 1;
const WALL = 0x4000_0000;
const SYS_PERF_EVENT_OPEN = 298;
const SYS_CLOSE = 3;
const SYS_IOCTL = 16;
const SYS_KCMP = 312;
const KCMP_VM = 1;

/** 0, or the error number. */
export function ptrace(request: number, tid: number, address: number, data: Buffer | null): number {
  return ptraceWithData(request, tid, address, data) === -1 ? koffi.errno() : 0;
}

/** The same with a number for data. */
export function ptraceNumber(request: number, tid: number, address: number, data: number): number {
  return ptraceWithNumber(request, tid, address, data) === -1 ? koffi.errno() : 0;
}

const registerSet = Buffer.alloc(16);

/** Reads or writes a register set (NT_*) into or from the whole buffer: how many bytes it has, or undefined. */
export function ptraceRegisterSet(request: number, tid: number, set: number, bytes: Buffer): number | undefined {
  registerSet.writeBigUInt64LE(koffi.address(bytes), 0);
  registerSet.writeBigUInt64LE(BigInt(bytes.length), 8);
  if (ptraceWithData(request, tid, set, registerSet) === -1) return undefined;
  return Number(registerSet.readBigUInt64LE(8));
}

export const SIGINFO_SIZE = 128;
const peek = Buffer.from(new ArrayBuffer(16));

/** The signals that wait for a thread that stands still, from that number on: how many, as `siginfo_t`, are put into the buffer. */
export function peekSignals(tid: number, from: number, into: Buffer): number {
  peek.writeBigUInt64LE(BigInt(from), 0);
  peek.writeInt32LE(Math.floor(into.length / SIGINFO_SIZE), 12);
  return Math.max(0, Number(ptraceWithData(PTRACE_PEEKSIGINFO, tid, koffi.address(peek), into)));
}

const status = new Int32Array(new ArrayBuffer(64));

/** `look` found that something has happened. */
export const SOMETHING = 0;
/** Nothing has happened. */
export const NOTHING = -1;
/** A signal for this thread of ours ended the wait: see alarm-clock.ts. */
export const INTERRUPTED = -2;
/** There is no such tracee any more. */
export const NO_TRACEE = -3;

/** What has happened to one tracee, its wait status, which is then taken; or one of the numbers above. */
export function wait(tid: number, block: boolean): number {
  const found = waitpidCall(tid, status, block ? WALL : WALL | WNOHANG);
  if (found === tid) return status[0] as number;
  if (found === 0) return NOTHING;
  return koffi.errno() === EINTR ? INTERRUPTED : NO_TRACEE;
}

const waitable = Buffer.from(new ArrayBuffer(128));
const P_ALL = 0;
const P_PID = 1;
const WSTOPPED = 2;
const WEXITED = 4;
const WNOWAIT = 0x0100_0000;
const LOOK = WALL | WSTOPPED | WEXITED | WNOWAIT;

/**
 * The id of some tracee or child of this thread to which something has happened; 0
 * where there is none. Nothing is taken: it may be another part of this program that
 * waits for a child.
 */
export function findWaitable(): number {
  waitable.writeInt32LE(0, 16);
  return waitidCall(P_ALL, 0, waitable, LOOK | WNOHANG) === 0 ? waitable.readInt32LE(16) : 0;
}

/** Looks for what has happened to one tracee, and takes nothing: `SOMETHING`, or what `wait` has for the rest. */
export function look(tid: number, block: boolean): number {
  waitable.writeInt32LE(0, 16);
  if (waitidCall(P_PID, tid, waitable, block ? LOOK : LOOK | WNOHANG) === 0)
    return waitable.readInt32LE(16) === tid ? SOMETHING : NOTHING;
  return koffi.errno() === EINTR ? INTERRUPTED : NO_TRACEE;
}

const CLD_TRAPPED = 4;
const MOST_SIGNAL = 64;

/**
 * The signal that what `findWaitable` or `look` found is about to get; 0 where it is something
 * else, or a SIGTRAP, which may be ours. The kernel delivers it as long as nothing is
 * taken, even should we die now; what was taken has to be passed on.
 */
export function waitableSignal(): number {
  const status = waitable.readInt32LE(24);
  const isSignal = waitable.readInt32LE(8) === CLD_TRAPPED && status > 0 && status <= MOST_SIGNAL;
  return isSignal && status !== SIGTRAP ? status : 0;
}

/** Bytes read, or -1, for what has no position. */
export function read(fd: number, into: Buffer): number {
  return Number(readCall(fd, into, into.length));
}

/** Bytes read, or -1 with `errno()`. */
export function pread(fd: number, into: Buffer, count: number, offset: number): number {
  return Number(preadCall(fd, into, count, offset));
}

export function pwrite(fd: number, bytes: Uint8Array, offset: number): number {
  return Number(pwriteCall(fd, bytes, bytes.length, offset));
}

export function errno(): number {
  return koffi.errno();
}

/** A file descriptor, or minus the error number. */
export function perfEventOpen(attributes: Buffer, tid: number): number {
  const PERF_FLAG_FD_CLOEXEC = 8;
  const fd = Number(perfEventOpenCall(SYS_PERF_EVENT_OPEN, attributes, tid, -1, -1, PERF_FLAG_FD_CLOEXEC));
  return fd === -1 ? -koffi.errno() : fd;
}

const IOC_ENABLE = 0x2400;
const IOC_DISABLE = 0x2401;

export function perfEventEnable(fd: number): boolean {
  return Number(syscall6(SYS_IOCTL, fd, IOC_ENABLE, 0, 0, 0, 0)) === 0;
}

export function perfEventDisable(fd: number): void {
  syscall6(SYS_IOCTL, fd, IOC_DISABLE, 0, 0, 0, 0);
}

/** Whether two tasks, by their ids, have one memory: kcmp(2). false also for what we may not look at. */
export function sharesMemory(one: number, other: number): boolean {
  return Number(syscall6(SYS_KCMP, one, other, KCMP_VM, 0, 0, 0)) === 0;
}

/** Closes without the bookkeeping of node:fs, for descriptors that did not come from it. */
export function close(fd: number): void {
  syscall6(SYS_CLOSE, fd, 0, 0, 0, 0, 0);
}

const SCHED_FIFO = 1;
const RESET_ON_FORK = 0x4000_0000;

const lowest = Buffer.from(new ArrayBuffer(64));
lowest.writeInt32LE(1);
const none = Buffer.from(new ArrayBuffer(64));
const isNormal = (schedGetscheduler(0) & ~RESET_ON_FORK) === 0;

/**
 * Whether this thread now has a fixed real-time priority: threads that it lets go
 * cannot take its processor, while others still stand.
 */
export function becomeRealTime(): boolean {
  return isNormal && schedSetscheduler(0, SCHED_FIFO | RESET_ON_FORK, lowest) === 0;
}

export function becomeNormal(): void {
  if (isNormal) schedSetscheduler(0, RESET_ON_FORK, none);
}
