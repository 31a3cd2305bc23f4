/**
 * What reading the stacks of stopped threads costs: microseconds a thread, for
 * the first stop after `prepare` and for later ones, beside the reads of memory alone.
 *
 *   node bench/process/unwind.ts [--stops N] [--warm-up MILLISECONDS]
 */
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ProcessMemory } from "../../src/process/os/memory.ts";
import { Unwinder } from "../../src/process/stack/unwinder.ts";
import { Programs, Tracee } from "../../test/process/unwind-tracee.ts";

const { values: options } = parseArgs({
  options: { stops: { type: "string", default: "300" }, "warm-up": { type: "string", default: "10" } },
});

using programs = new Programs();
using tracee = await Tracee.started(programs.compiled("many-threads.c", "gcc", "-O2", "-w", "-pthread"));
using memory = new ProcessMemory(tracee.pid);

let microsecondsOfReads = 0;
const read = (address: number, length: number): Buffer | undefined => {
  const before = performance.now();
  const data = memory.tryRead(address, length);
  microsecondsOfReads += 1000 * (performance.now() - before);
  return data;
};

const unwinder = new Unwinder(tracee.pid, { read });
const beforePrepare = performance.now();
unwinder.prepare({ warmUp: Number(options["warm-up"]) });
const prepare = performance.now() - beforePrepare;

interface Measured {
  /** Microseconds a thread. */
  readonly all: number;
  readonly read: number;
  readonly frames: number;
  readonly threads: number;
  readonly unreliable: number;
}

const rows: Measured[] = [];
for (let stop = 0; stop < Number(options.stops); stop++) {
  tracee.stop();
  microsecondsOfReads = 0;
  const before = performance.now();
  unwinder.beginStop();
  let frames = 0;
  let reliable = 0;
  for (const registers of tracee.threads.values()) {
    const stack = unwinder.stack(registers);
    frames += stack.frames.length;
    if (stack.kind === "reliable") reliable++;
  }
  const all = 1000 * (performance.now() - before);
  const threads = tracee.threads.size;
  rows.push({
    all: all / threads,
    read: microsecondsOfReads / threads,
    frames: frames / threads,
    unreliable: threads - reliable,
    threads,
  });
  tracee.resume();
  await setTimeout(2);
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const later = rows.slice(rows.length >> 1);
say(`prepare: ${prepare.toFixed(1)} ms`);
for (const [index, { all, read: ofReads }] of rows.slice(0, 3).entries()) {
  say(`stop ${index + 1}: ${all.toFixed(1)} us a thread, ${ofReads.toFixed(1)} of them reads`);
}
const [all, ofReads, frames] = [
  median(later.map((r) => r.all)),
  median(later.map((r) => r.read)),
  median(later.map((r) => r.frames)),
];
say(
  `later: ${all.toFixed(2)} us a thread, ${ofReads.toFixed(2)} of them reads; ${frames.toFixed(1)} frames a thread (medians)`,
);
say(
  `${rows.reduce((sum, r) => sum + r.threads, 0)} stacks, ${rows.reduce((sum, r) => sum + r.unreliable, 0)} unreliable`,
);
