/** Linux on x86-64: System V psABI, arch/x86/include/uapi/asm, arch/x86/entry/syscalls/syscall_64.tbl. */
import type { LinuxAbi } from "../linux-abi.ts";
import { X86Registers } from "./registers.ts";
import { callThatCodeSays, callThatSleepsIn, SYSTEM_CALL_CODE } from "./restarted-call.ts";
import { signalFrame } from "./signal-frame.ts";

/** `syscall`. */
const SYSCALL = [0x0f, 0x05];
const RET = 0xc3;

/** For programs of 64 bits. Source of the numbers: asm/unistd_64.h, asm/ptrace-abi.h and uapi/linux/elf.h. */
export const LINUX_X86_64: LinuxAbi = {
  newRegisters: () => new X86Registers(),
  // PTRACE_GETREGS and PTRACE_SETREGS: one copy less in the kernel than by a register set.
  registerRequests: { get: 12, set: 13 },
  // NT_X86_XSTATE. The largest state of today's processors, with AMX, is below this.
  vectorSet: { type: 0x202, mostBytes: 1 << 14 },
  systemCalls: {
    kcmp: 312,
    keyctl: 250,
    mmap: 9,
    munmap: 11,
    perfEventOpen: 298,
    restartSyscall: 219,
    rtSigaction: 13,
  },
  // clone, vfork, clone3
  makesChild: new Set([56, 58, 435]),
  waitingCalls: new Map([
    [0, "read"],
    [1, "write"],
    [7, "poll"],
    [23, "select"],
    [34, "pause"],
    [35, "nanosleep"],
    [43, "accept"],
    [44, "sendto"],
    [45, "recvfrom"],
    [46, "sendmsg"],
    [47, "recvmsg"],
    [61, "wait4"],
    [73, "flock"],
    [74, "fsync"],
    [128, "rt_sigtimedwait"],
    [130, "rt_sigsuspend"],
    [202, "futex"],
    [208, "io_getevents"],
    [219, "restart_syscall"],
    [230, "clock_nanosleep"],
    [232, "epoll_wait"],
    [247, "waitid"],
    [270, "pselect6"],
    [271, "ppoll"],
    [281, "epoll_pwait"],
    [288, "accept4"],
    [426, "io_uring_enter"],
    [441, "epoll_pwait2"],
  ]),
  gadgets: {
    systemCall: Buffer.from(SYSCALL),
    systemCallAndReturn: Buffer.from([...SYSCALL, RET]),
    // mov $15,%rax; syscall, and mov $15,%eax; syscall: rt_sigreturn, as every C library has it
    signalReturns: [
      Buffer.from([0x48, 0xc7, 0xc0, 15, 0, 0, 0, ...SYSCALL]),
      Buffer.from([0xb8, 15, 0, 0, 0, ...SYSCALL]),
    ],
  },
  systemCallCode: SYSTEM_CALL_CODE,
  callThatCodeSays,
  callThatSleepsIn,
  redZone: 128,
  mostPushed: 128,
  breakpointLength: 8,
  // int3
  trap: Buffer.from([0xcc]),
  longestInstruction: 15,
  signalFrame,
};
