/**
 * Which system call restart_syscall(2) stands for: the kernel has those that wait for a time go on by it
 * when they were interrupted, and the registers of a thread that was interrupted again do not say it.
 */
import type { Registers } from "../registers.ts";
import { REGISTER } from "./registers.ts";

const POLL = 7;
const NANOSLEEP = 35;
const FUTEX = 202;
const CLOCK_NANOSLEEP = 230;
/** All that restart_syscall stands for: who sets `restart_block.fn`. */
const CALLS: ReadonlySet<number> = new Set([POLL, NANOSLEEP, FUTEX, CLOCK_NANOSLEEP]);

/** `mov $number,%eax; syscall`. */
export const SYSTEM_CALL_CODE = 7;
const MOV_EAX = 0xb8;
const SYSCALL = Buffer.from([0x0f, 0x05]);

/**
 * Functions of Linux (fs/select.c, kernel/futex, kernel/time) that a thread of such a call sleeps in, as
 * /proc/PID/wchan names them: the innermost that is not of the scheduler's own section.
 */
const POLLS = /^(?:poll_schedule_timeout|do_poll|do_sys_poll|do_restart_poll)(?:\..*)?$/;
const FUTEXES =
  /^(?:futex_wait|futex_wait_queue|futex_wait_queue_me|futex_do_wait|__futex_wait|futex_wait_restart)(?:\..*)?$/;
/** Clocks of a process's time, and those that wake the machine: nanosleep has neither. */
const OTHER_SLEEPS =
  /^(?:do_cpu_nanosleep|posix_cpu_nsleep_restart|alarmtimer_do_nsleep|alarm_timer_nsleep_restart)(?:\..*)?$/;
/** All of a plain sleep is in the scheduler's section, so that it may be its caller that is named. */
const SLEEPS =
  /^(?:do_nanosleep|hrtimer_nanosleep|hrtimer_nanosleep_restart|(?:__x64_|__do_)sys_restart_syscall|x64_sys_call|do_syscall_64|entry_SYSCALL_64_after_hwframe)(?:\..*)?$/;
/** CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, the two that wake the machine, CLOCK_TAI. No address of a program is as low. */
const CLOCKS: ReadonlySet<number> = new Set([0, 1, 7, 8, 9, 11]);
const LOWEST_ADDRESS = 4096;
/** Upper half of the addresses that are the kernel's. */
const KERNEL_HALF = 0x8000_0000;

/** As `LinuxAbi.callThatCodeSays` has it. */
export function callThatCodeSays(before: Buffer): number | undefined {
  if (before[0] !== MOV_EAX || !before.subarray(5).equals(SYSCALL)) return undefined;
  const said = before.readUInt32LE(1);
  return CALLS.has(said) ? said : undefined;
}

/** As `LinuxAbi.callThatSleepsIn` has it. */
export function callThatSleepsIn(place: string, { bytes }: Registers): number | undefined {
  if (POLLS.test(place)) return POLL;
  if (FUTEXES.test(place)) return FUTEX;
  if (OTHER_SLEEPS.test(place)) return CLOCK_NANOSLEEP;
  if (!SLEEPS.test(place)) return undefined;
  // The first argument is a clock's number, of 32 bits, whatever is above them, or the address of the time.
  const low = bytes.readUInt32LE(REGISTER.rdi);
  const high = bytes.readUInt32LE(REGISTER.rdi + 4);
  if (high === 0 && low < LOWEST_ADDRESS) return CLOCKS.has(low) ? CLOCK_NANOSLEEP : undefined;
  return CLOCKS.has(low) || high >= KERNEL_HALF ? undefined : NANOSLEEP;
}
