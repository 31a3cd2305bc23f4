/** Maps and unmaps memory in the process of its argument by borrowed threads until it is killed: for trace.test.ts. */

import { readMappings } from "../../src/process/os/mappings.ts";
import { findGadgets } from "../../src/process/tracer/gadgets.ts";
import { TracedProcess } from "../../src/process/tracer/traced-process.ts";

const pid = Number(process.argv[2]);
const traced = new TracedProcess(pid);
const gadgets = findGadgets(readMappings(pid), traced.memory);
if (gadgets === undefined) throw new Error("no system call in the program");
process.stdout.write("ready\n");
for (;;) {
  traced.stopped(() => {
    for (const task of traced.tasks) {
      const borrowed = traced.borrow(task, gadgets);
      const address = borrowed.systemCall(9, [0, 4096, 1, 0x22, -1, 0]);
      if (address < 0 || borrowed.systemCall(11, [address, 4096]) !== 0) process.exit(1);
      borrowed.giveBack();
    }
  });
  traced.poll();
}
