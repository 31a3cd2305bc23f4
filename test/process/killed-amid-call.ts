/**
 * Borrows threads of the process of its first argument for a system call, as many as the second says, and is killed
 * then, by itself, while they stand still and are not given back: for restarted-calls.test.ts. The third
 * is a signal for the process, sent while it stands still, or 0.
 */

import { readMappings } from "../../src/process/os/mappings.ts";
import { findGadgets } from "../../src/process/tracer/gadgets.ts";
import { TracedProcess } from "../../src/process/tracer/traced-process.ts";

const [pid = 0, threads = 0, signal = 0] = process.argv.slice(2).map(Number);
const SYS_MMAP = 9;
const traced = new TracedProcess(pid);
const gadgets = findGadgets(readMappings(pid), traced.memory);
if (gadgets === undefined) throw new Error("no system call in the program");
traced.stopped(() => {
  if (signal > 0) process.kill(pid, signal);
  for (const task of traced.tasks.slice(0, threads)) {
    const borrowed = traced.borrow(task, gadgets);
    if (!borrowed.healsItself || borrowed.systemCall(SYS_MMAP, [0, 4096, 1, 0x22, -1, 0]) <= 0) process.exit(1);
  }
  process.kill(process.pid, "SIGKILL");
});
