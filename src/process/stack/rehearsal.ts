import { readdirSync, readFileSync } from "node:fs";
import { userRegisters } from "./registers.ts";

/**
 * What is known, without a stop, of the threads of a process that are blocked: a
 * `struct user_regs_struct` each, with the instruction and stack pointers and
 * nothing else (proc_pid_syscall(5)). None where /proc does not tell.
 */
export function blockedThreads(pid: number): Buffer[] {
  const found: Buffer[] = [];
  for (const thread of threadsOf(pid)) {
    // `running`, or the call's number, six arguments, and at last the stack and instruction pointers.
    const pointers = / (0x[0-9a-f]+) (0x[0-9a-f]+)\n$/.exec(textOf(`/proc/${pid}/task/${thread}/syscall`));
    if (pointers !== null) found.push(userRegisters({ rsp: Number(pointers[1]), rip: Number(pointers[2]) }));
  }
  return found;
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
