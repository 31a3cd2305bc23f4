import { expect, test } from "vitest";
import { REGISTER, X86Registers } from "./registers.ts";
import { callThatCodeSays, callThatSleepsIn } from "./restarted-call.ts";

const POLL = 7;
const NANOSLEEP = 35;
const FUTEX = 202;
const CLOCK_NANOSLEEP = 230;

test.each([
  ["mov $7,%eax; syscall", [0xb8, POLL, 0, 0, 0, 0x0f, 0x05], POLL],
  ["mov $230,%eax; syscall", [0xb8, CLOCK_NANOSLEEP, 0, 0, 0, 0x0f, 0x05], CLOCK_NANOSLEEP],
  ["a number that is of none of them", [0xb8, 232, 0, 0, 0, 0x0f, 0x05], undefined],
  ["a number above", [0xb8, POLL, 1, 0, 0, 0x0f, 0x05], undefined],
  ["another register", [0xba, POLL, 0, 0, 0, 0x0f, 0x05], undefined],
  ["another instruction", [0xb8, POLL, 0, 0, 0, 0xcd, 0x80], undefined],
])("what the code before says: %s", (_name, code, number) => {
  expect(callThatCodeSays(Buffer.from(code))).toBe(number);
});

const ADDRESS = 0x7ffd_0000_1000n;
test.each([
  ["poll_schedule_timeout.constprop.0", ADDRESS, POLL],
  ["do_poll", ADDRESS, POLL],
  ["futex_wait_queue_me", ADDRESS, FUTEX],
  ["futex_do_wait", 0n, FUTEX],
  ["do_cpu_nanosleep", 2n, CLOCK_NANOSLEEP],
  ["alarmtimer_do_nsleep", 9n, CLOCK_NANOSLEEP],
  ["hrtimer_nanosleep", ADDRESS, NANOSLEEP],
  ["do_syscall_64", ADDRESS, NANOSLEEP],
  ["do_syscall_64", 0n, CLOCK_NANOSLEEP],
  ["__x64_sys_restart_syscall", 1n, CLOCK_NANOSLEEP],
  ["do_syscall_64", 9n, CLOCK_NANOSLEEP],
  ["do_syscall_64", 5n, undefined],
  ["do_syscall_64", 0x40_1000n, NANOSLEEP],
  ["do_syscall_64", 0xffff_ffff_ffff_fff6n, undefined],
  // The upper half of an argument of 32 bits may hold anything: this may be a clock, or an address.
  ["do_syscall_64", 0x7ffd_0000_0001n, undefined],
  ["handle_userfault", ADDRESS, undefined],
  ["ptrace_stop", ADDRESS, undefined],
  ["do_sys_openat2", ADDRESS, undefined],
])("what sleeps in %s with the first argument %i is call %s", (place, first, number) => {
  const registers = new X86Registers();
  registers.bytes.writeBigUInt64LE(first, REGISTER.rdi);
  expect(callThatSleepsIn(place, registers)).toBe(number);
});
