import { parentPort, workerData } from "node:worker_threads";
import { type ExecutionRange, fuzz } from "./executions.ts";
import type { FuzzSeed } from "./parser.ts";
import { PARSERS } from "./parsers.ts";

export interface WorkerTask {
  readonly parser: string;
  readonly seeds: readonly FuzzSeed[];
  readonly range: ExecutionRange;
  /** Element `slot` holds the execution that is running. */
  readonly running: Int32Array<SharedArrayBuffer>;
  readonly slot: number;
}

const task = workerData as WorkerTask;
const parser = PARSERS.find((each) => each.name === task.parser);
if (parser === undefined) throw new Error(`no parser ${task.parser}`);
// Buffers arrive as plain Uint8Arrays.
const seeds = task.seeds.map((seed) => ({ ...seed, data: Buffer.from(seed.data) }));
const report = await fuzz(parser, seeds, task.range, (index) => {
  task.running[task.slot] = index;
});
parentPort?.postMessage(report);
