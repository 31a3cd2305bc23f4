import { setImmediate } from "node:timers/promises";
import { SutureError } from "../../src/lib/error.ts";
import { mutated, mutationSpace, randomAt } from "./mutate.ts";
import type { FuzzParser, FuzzSeed } from "./parser.ts";

/** Which executions to make: `first`, `first + step` and so on, below `end`. */
export interface ExecutionRange {
  readonly seed: number;
  readonly first: number;
  readonly step: number;
  readonly end: number;
}

export interface ExecutionReport {
  readonly executions: number;
  /** Of them, how many the parser took as sound. */
  readonly accepted: number;
  readonly worst: { readonly milliseconds: number; readonly index: number };
  readonly failure: { readonly index: number; readonly message: string; readonly input: Buffer } | undefined;
}

const SLOWEST_MILLISECONDS = 1000;
/** Node.js frees what zlib used only when the event loop turns. */
const EXECUTIONS_A_TURN = 1000;
/** From here on a run is repeated, in processor time: the machine may have been busy with something else. */
const SUSPICIOUS_MILLISECONDS = 100;

/**
 * Runs a parser on mutated seeds, until something other than a SutureError is
 * thrown or a run takes too long. Execution i depends on the seed and i alone.
 * `started` is told of each before it runs.
 */
export async function fuzz(
  parser: FuzzParser,
  seeds: readonly FuzzSeed[],
  range: ExecutionRange,
  started: (index: number) => void = () => {},
): Promise<ExecutionReport> {
  const space = mutationSpace(seeds);
  let executions = 0;
  let accepted = 0;
  let worst = { milliseconds: 0, index: -1 };
  const failed = (index: number, message: string, input: Buffer): ExecutionReport => {
    return { executions, accepted, worst, failure: { index, message, input: Buffer.from(input) } };
  };
  for (let index = range.first; index < range.end; index += range.step) {
    started(index);
    if (executions % EXECUTIONS_A_TURN === 0) await setImmediate();
    const input = mutated(seeds, randomAt(range.seed, index), space);
    executions++;
    let milliseconds: number;
    try {
      const before = performance.now();
      if (run(parser, input)) accepted++;
      milliseconds = performance.now() - before;
      for (let again = 0; again < 2 && milliseconds > SUSPICIOUS_MILLISECONDS; again++) {
        const start = process.threadCpuUsage();
        run(parser, input);
        const { user, system } = process.threadCpuUsage(start);
        milliseconds = Math.min(milliseconds, (user + system) / 1000);
      }
    } catch (error) {
      return failed(index, error instanceof Error ? (error.stack ?? error.message) : String(error), input);
    }
    if (milliseconds > worst.milliseconds) worst = { milliseconds, index };
    if (milliseconds > SLOWEST_MILLISECONDS) {
      return failed(index, `took ${milliseconds.toFixed(0)} ms`, input);
    }
  }
  return { executions, accepted, worst, failure: undefined };
}

/** Whether the parser took the input; throws what is not a SutureError. */
function run(parser: FuzzParser, input: Buffer): boolean {
  try {
    parser.run(input);
    return true;
  } catch (error) {
    if (error instanceof SutureError) return false;
    throw error;
  }
}
