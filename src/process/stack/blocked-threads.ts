import type { Registers } from "../../arch/registers.ts";
import { textIfThere } from "../../lib/if-there.ts";
import { nativeLinux } from "../os/native.ts";
import { threadsOf } from "../os/thread-list.ts";

/**
 * What is known, without a stop, of the threads of a process that are blocked: their
 * instruction and stack pointers and nothing else (proc_pid_syscall(5)). None where /proc does not tell.
 */
export function blockedThreads(pid: number): Registers[] {
  const found: Registers[] = [];
  for (const thread of threadsOf(pid)) {
    // `running`, or the call's number, six arguments, and at last the stack and instruction pointers.
    const pointers = / (0x[0-9a-f]+) (0x[0-9a-f]+)\n$/.exec(textIfThere(`/proc/${pid}/task/${thread}/syscall`));
    if (pointers === null) continue;
    const registers = nativeLinux().newRegisters();
    registers.sp = Number(pointers[1]);
    registers.pc = Number(pointers[2]);
    found.push(registers);
  }
  return found;
}
