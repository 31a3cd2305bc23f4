import type { VmAbi } from "../vm-abi.ts";

/** A PC of QEMU's. Source of the words: arch/x86/kernel/traps.c, dumpstack.c and mm/fault.c. */
export const vm: VmAbi = {
  program: "qemu-system-x86_64",
  board: ["-machine", "q35"],
  // Five-level page tables make software emulation slower and are not needed; all else lets more modules load.
  // Behind cmpxchg16b, which the kernel does without, QEMU 7.2 may leave flags that no processor would: a direction
  // that is turned round, a single step. Seen with 6.12.95+deb12, every second boot of which came to harm in memcpy.
  emulated: ["-cpu", "max,la57=off,cx16=off"],
  ports: { console: "ttyS0", answers: "ttyS1" },
  // Whether the timer comes in time is not asked for: on a busy host it does not, and the kernel would take it for broken and panic.
  kernelOptions: ["tsc=reliable", "no_timer_check"],
  faults: {
    oops: /^general protection fault|^invalid opcode|^divide error|^double fault|^int3: |^stack segment|^#[A-Z]{2}: |^Missing ENDBR|^traps: Missing ENDBR|^control protection/,
    context: /^(RIP:|Code:|[ER][A-Z]{2,5}:|R\d\d|FS:|CS:|CR\d|DR\d|PKRU|PGD |#PF)/,
  },
};
