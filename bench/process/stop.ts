/**
 * What a stop of all threads costs, beside a small C program that does only the
 * stop, the reading of the registers and the resuming: the first stop of a fresh
 * command, and those after it. The runs of both take turns.
 *
 *   node bench/process/stop.ts [--commands 7] [--stops 60]
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { rounded } from "../measured-command.ts";
import { writeResults } from "./write-results.ts";

const { values } = parseArgs({ options: { commands: { type: "string" }, stops: { type: "string" } } });
const commands = Number(values.commands ?? 7);
const stops = Number(values.stops ?? 60);
const PAUSE_US = "2000";
/** As bin/suture starts a command: a young generation of Node's own size is collected in the middle of a stop. */
const LIKE_SUTURE = "--min-semi-space-size=16";

interface Stops {
  readonly threads: number;
  readonly stopsUs: readonly number[];
}

await using directory = await temporaryDirectory();
const [floor, threads] = ["floor", "threads"].map((name) => {
  const program = join(directory.path, name);
  execFileSync("gcc", ["-O2", "-pthread", "-o", program, join(import.meta.dirname, `${name}.c`)]);
  return program;
}) as [string, string];

const rows: object[] = [];
for (const count of [8, 64, 512]) {
  const row = await measure(count);
  rows.push(row);
  process.stdout.write(`${JSON.stringify(row)}\n`);
}
writeResults("process-stop", { commands, stopsOfEach: stops, rows });

/** Microseconds, medians over all commands. */
async function measure(count: number): Promise<object> {
  const child = spawn(threads, [String(count)], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await once(child.stdout, "data");
    const pid = String(child.pid);
    const least: number[] = [];
    const first: number[] = [];
    const later: number[] = [];
    for (let command = 0; command < commands; command++) {
      least.push(...stopsOf(floor, [pid, String(stops), PAUSE_US]).stopsUs);
      const [fresh = Number.NaN, ...others] = stopsOf(process.execPath, [
        LIKE_SUTURE,
        join(import.meta.dirname, "stop-fresh.ts"),
        pid,
        String(stops),
      ]).stopsUs;
      first.push(fresh);
      later.push(...others);
    }
    const medians = { floorUs: median(least), firstUs: median(first), laterUs: median(later) };
    return {
      threads: count,
      ...medians,
      laterTimesFloor: rounded(medians.laterUs / medians.floorUs),
      firstTimesFloor: rounded(medians.firstUs / medians.floorUs),
    };
  } finally {
    child.kill("SIGKILL");
  }
}

function stopsOf(program: string, args: readonly string[]): Stops {
  return JSON.parse(execFileSync(program, args, { encoding: "utf8" })) as Stops;
}

function median(of: readonly number[]): number {
  return rounded(of.toSorted((a, b) => a - b)[of.length >> 1] ?? Number.NaN);
}
