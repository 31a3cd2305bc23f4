/**
 * One livepatch into many processes of one program by one command, and time and
 * memory against how many processes, threads and livepatches there are.
 *
 *   node bench/process/many.ts [--processes 1000]
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { type Measured, measured, rounded } from "../measured-command.ts";
import { writeResults } from "./write-results.ts";

const CHECKOUT = new URL("../..", import.meta.url).pathname;
const { values } = parseArgs({ options: { processes: { type: "string" } } });
const most = Number(values.processes ?? 1000);

/** One command over all processes. */
interface Applied {
  readonly processes: number;
  readonly threads: number;
  /** Livepatches that were there already. */
  readonly patches: number;
  readonly seconds: number;
  readonly millisecondsEach: number;
  readonly medianStopUs: number;
  /** What the command itself took at most. */
  readonly peakMegabytes: number;
  /** What each process has mapped more, in the mean. */
  readonly kilobytesEach: number;
}

await using directory = await temporaryDirectory();
const source = join(directory.path, "many.c");
const program = join(directory.path, "many");
copyFileSync(join(import.meta.dirname, "many.c"), source);
const command = ["gcc", "-O2", "-pthread", "-o", program, source];
execFileSync("gcc", command.slice(1));
writeFileSync(
  join(directory.path, "compile_commands.json"),
  JSON.stringify([
    { directory: directory.path, file: source, arguments: ["gcc", "-O2", "-pthread", "-c", "-o", "many.o", source] },
  ]),
);
const livepatches = [4, 5, 6, 7, 8].map(livepatch);
const rows: Applied[] = [];
const sizes = [1, 10, 100, most].filter((size, index, all) => size <= most && all.indexOf(size) === index);
for (const size of sizes) rows.push(...(await applied(size, 1, 1)));
for (const threads of [8, 64]) rows.push(...(await applied(10, threads, 1)));
rows.push(...(await applied(10, 1, livepatches.length)));
writeResults("process-many", { rows });

/** Starts so many processes, loads the livepatches one after the other into all, and gives what each load took. */
async function applied(processes: number, threads: number, patches: number): Promise<Applied[]> {
  const children = await Promise.all(Array.from({ length: processes }, () => started(threads - 1)));
  try {
    const results: Applied[] = [];
    for (const [there, path] of livepatches.slice(0, patches).entries()) {
      const before = mapped(children);
      const { seconds, peakMegabytes, stops } = await load(path);
      results.push({
        processes,
        threads,
        patches: there,
        seconds,
        millisecondsEach: rounded((seconds * 1000) / processes),
        medianStopUs: rounded(stops.toSorted((a, b) => a - b)[stops.length >> 1] ?? 0),
        peakMegabytes,
        kilobytesEach: rounded((mapped(children) - before) / processes),
      });
      process.stdout.write(`${JSON.stringify(results.at(-1))}\n`);
    }
    return results;
  } finally {
    await Promise.all(children.map(ended));
  }
}

async function load(path: string): Promise<Measured & { readonly stops: readonly number[] }> {
  const run = await measured(["load", path, "--all", "--json"], directory.path);
  if (run.status !== 0) throw new Error(`suture load ended with ${run.status}: ${run.stderr}`);
  const { results } = JSON.parse(run.stdout) as { results: { outcome: string; cost?: { stopsUs: number[] } }[] };
  const others = results.filter(({ outcome }) => outcome !== "done");
  if (others.length > 0) throw new Error(`not all were patched: ${JSON.stringify(others[0])}`);
  return { ...run, stops: results.flatMap(({ cost }) => cost?.stopsUs ?? []) };
}

/** A livepatch of the program in which a piece costs so much; each is a livepatch of its own name. */
function livepatch(price: number): string {
  const diff = join(directory.path, `price-${price}.patch`);
  writeFileSync(
    diff,
    [
      "--- a/many.c",
      "+++ b/many.c",
      "@@ -11,5 +11,5 @@",
      " {",
      " \ttotal += pieces;",
      "-\treturn pieces * 3;",
      `+\treturn pieces * ${price};`,
      " }",
      " ",
      "",
    ].join("\n"),
  );
  const output = join(directory.path, `livepatch-price-${price}.o`);
  const args = [
    "build",
    "--compile-commands",
    "compile_commands.json",
    "--exe",
    program,
    "--no-replace",
    "-o",
    output,
    diff,
  ];
  execFileSync(join(CHECKOUT, "bin/suture"), args, { cwd: directory.path, stdio: ["ignore", "ignore", "inherit"] });
  return output;
}

async function started(threads: number): Promise<ChildProcess> {
  const child = spawn(program, [String(threads)], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout as NodeJS.ReadableStream, "data");
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

/** Kilobytes of memory in use, of all. */
function mapped(children: readonly ChildProcess[]): number {
  return children.reduce((sum, { pid }) => sum + Number(/^Rss:\s+(\d+)/m.exec(smaps(pid))?.[1] ?? 0), 0);
}

function smaps(pid: number | undefined): string {
  return readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
}
