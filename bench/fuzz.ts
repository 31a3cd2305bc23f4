/**
 * Fuzzes the parsers with mutated seeds, which gcc makes on the spot.
 *
 *   node bench/fuzz.ts [--executions N] [--parsers elf,btf,...] [--seed N] [--workers N] [--json FILE]
 *   node bench/fuzz.ts --parsers elf --seed N --only INDEX      one execution again
 *
 * Exit code 1 for anything thrown that is not a SutureError, a run of more than
 * a second, or more than 512 MiB of memory; the input is kept in a file.
 */
import { randomInt } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import type { ExecutionReport } from "./fuzz/executions.ts";
import type { FuzzParser } from "./fuzz/parser.ts";
import { PARSERS } from "./fuzz/parsers.ts";
import type { WorkerTask } from "./fuzz/worker.ts";

const MOST_MEBIBYTES = 512;
const HANG_SECONDS = 10;
/** Kept small so that garbage is not taken for growth. */
const WORKER_HEAP = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 16 };

const { values: options } = parseArgs({
  options: {
    executions: { type: "string", default: "1000000" },
    parsers: { type: "string", default: PARSERS.map((parser) => parser.name).join(",") },
    seed: { type: "string" },
    workers: { type: "string", default: String(Math.min(2, availableParallelism())) },
    only: { type: "string" },
    json: { type: "string" },
  },
});

interface ParserResult {
  readonly parser: string;
  readonly executions: number;
  readonly accepted: number;
  readonly perSecond: number;
  readonly worstMilliseconds: number;
  readonly failure: { readonly index: number; readonly message: string } | undefined;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const seed = options.seed === undefined ? randomInt(2 ** 31) : Number(options.seed);
const chosen = options.parsers.split(",").map((name) => {
  const parser = PARSERS.find((each) => each.name === name);
  if (parser === undefined) throw new Error(`no parser ${name}; there are ${PARSERS.map((p) => p.name).join(", ")}`);
  return parser;
});
const shares = chosen.reduce((sum, parser) => sum + (parser.share ?? 1), 0);
say(`seed ${seed}`);
const results: ParserResult[] = [];
for (const parser of chosen) {
  const count = Math.ceil((Number(options.executions) * (parser.share ?? 1)) / shares);
  const result = await fuzzed(parser, count);
  const { executions, accepted, perSecond, worstMilliseconds } = result;
  const rates = `${perSecond.toFixed(0)}/s, ${accepted} accepted, worst ${worstMilliseconds.toFixed(1)} ms`;
  say(`${parser.name.padEnd(12)} ${executions} executions, ${rates}, ${mebibytes()} MiB`);
  results.push(result);
}

const total = results.reduce((sum, result) => sum + result.executions, 0);
const memory = mebibytes();
const sound = memory <= MOST_MEBIBYTES && results.every((result) => result.failure === undefined);
say(`${total} executions, at most ${memory} MiB: ${sound ? "sound" : "FAILED"}`);
if (memory > MOST_MEBIBYTES) say(`more than ${MOST_MEBIBYTES} MiB`);
if (options.json !== undefined) {
  mkdirSync(dirname(options.json), { recursive: true });
  const machine = { processor: cpus()[0]?.model, processors: cpus().length, node: process.version };
  const report = { sound, seed, executions: total, maxRssMebibytes: memory, machine, parsers: results };
  writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
}
process.exitCode = sound ? 0 : 1;

/** The most memory that this process has had so far, all its threads together. */
function mebibytes(): number {
  return Math.ceil(process.resourceUsage().maxRSS / 1024);
}

async function fuzzed(parser: FuzzParser, count: number): Promise<ParserResult> {
  const seeds = parser.seeds();
  // Throws for a seed that the parser no longer takes: damage to it would test nothing.
  for (const { data } of seeds) parser.run(data);
  const workers = options.only === undefined ? Number(options.workers) : 1;
  const running = new Int32Array(new SharedArrayBuffer(4 * workers));
  const before = performance.now();
  const tasks = Array.from({ length: workers }, (_, slot): WorkerTask => {
    const only = options.only === undefined ? undefined : Number(options.only);
    const range =
      only === undefined ? { first: slot, step: workers, end: count } : { first: only, step: 1, end: only + 1 };
    return { parser: parser.name, seeds, range: { seed, ...range }, running, slot };
  });
  const reports = await Promise.all(tasks.map(reportOf));
  const seconds = (performance.now() - before) / 1000;
  const failure = reports.find((report) => report.failure !== undefined)?.failure;
  if (failure !== undefined) {
    const path = join(tmpdir(), `suture-fuzz-${parser.name}-${seed}-${failure.index}`);
    if (failure.input.length > 0) writeFileSync(path, failure.input);
    say(`${parser.name}: execution ${failure.index} failed: ${failure.message}`);
    say(`  again: node bench/fuzz.ts --parsers ${parser.name} --seed ${seed} --only ${failure.index}`);
    if (failure.input.length > 0) say(`  input: ${path}`);
  }
  const executions = reports.reduce((sum, report) => sum + report.executions, 0);
  return {
    parser: parser.name,
    executions,
    accepted: reports.reduce((sum, report) => sum + report.accepted, 0),
    perSecond: executions / seconds,
    worstMilliseconds: Math.max(...reports.map((report) => report.worst.milliseconds)),
    failure: failure && { index: failure.index, message: failure.message },
  };
}

/** What a worker reports; a worker that hangs or runs out of memory is a failure too. */
async function reportOf(task: WorkerTask): Promise<ExecutionReport> {
  const worker = new Worker(new URL("./fuzz/worker.ts", import.meta.url), {
    workerData: task,
    resourceLimits: WORKER_HEAP,
  });
  const failed = (message: string): ExecutionReport => {
    const index = task.running[task.slot] ?? 0;
    const worst = { milliseconds: 0, index };
    return { executions: 0, accepted: 0, worst, failure: { index, message, input: Buffer.alloc(0) } };
  };
  return new Promise((resolve) => {
    let last = -1;
    const watch = setInterval(() => {
      const now = task.running[task.slot] ?? 0;
      if (now === last && now !== 0) finish(failed(`did not end within ${HANG_SECONDS} seconds`));
      last = now;
    }, HANG_SECONDS * 1000);
    const finish = (report: ExecutionReport): void => {
      clearInterval(watch);
      resolve(report);
      void worker.terminate();
    };
    worker.on("message", finish);
    worker.on("error", (error) =>
      finish(failed(error instanceof Error ? (error.stack ?? error.message) : String(error))),
    );
  });
}
