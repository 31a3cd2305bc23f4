/**
 * A fresh command that stops a process: the first argument is its pid, the second how
 * often. Prints JSON: microseconds of each stop, the first one first.
 */
import { setTimeout } from "node:timers/promises";
import { onThrowAwayProcess } from "../../src/process/os/throw-away.ts";
import { TracedProcess } from "../../src/process/tracer/traced-process.ts";
import { warmUpStops } from "../../src/process/tracer/warm-up.ts";

const [pid = 0, rounds = 0] = process.argv.slice(2).map(Number);
const start = performance.now();
onThrowAwayProcess(warmUpStops);
const rehearsalMs = performance.now() - start;
using traced = new TracedProcess(pid);
const stopsUs: number[] = [];
for (let round = 0; round < rounds; round++) {
  const { cost } = traced.stopped(() => {
    for (const task of traced.tasks) traced.registers(task);
  });
  stopsUs.push(cost.stoppedUs);
  await setTimeout(2);
  while (traced.poll() !== undefined);
}
process.stdout.write(JSON.stringify({ threads: traced.tasks.length, rehearsalMs, stopsUs }));
