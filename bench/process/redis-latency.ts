/**
 * Latency of a stock redis-server while a livepatch is applied and reverted all
 * the time, beside that of the same server left alone: pairs of redis-benchmark
 * runs, one after the other.
 *
 *   node bench/process/redis-latency.ts [--pairs 5] [--toggles 1000] [--pause 100]
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { startRedis } from "../../demo/redis.ts";
import { CHECKOUT, suture } from "../../demo/suture.ts";
import { Cache } from "../../src/lib/cache.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { openSourcePackage } from "../../src/provider/debian/source-package.ts";
import type { Toggled } from "./toggle.ts";
import { writeResults } from "./write-results.ts";

const CVE = "CVE-2026-66373";
const PACKAGE = "redis=5:7.0.15-1~deb12u7";
const NAME = `livepatch_${CVE.replaceAll("-", "_")}`;

const options = {
  pairs: { type: "string" as const },
  toggles: { type: "string" as const },
  pause: { type: "string" as const },
};
const { values } = parseArgs({ options });
const pairs = Number(values.pairs ?? 5);
const toggles = Number(values.toggles ?? 1000);
/** Milliseconds for which it stays applied, and reverted. */
const pause = values.pause ?? "100";

/** How many more requests than the toggles are expected to take, for these to be done meanwhile; they go on till the end. */
const MARGIN = 1.25;
/** The part of the requests that tells the latency of a server left alone: millions all the same. */
const ALONE = 0.25;

/** Milliseconds below which 99.9 % of the replies came, and requests a second. */
interface Latency {
  readonly p999: number;
  readonly perSecond: number;
}

await using directory = await temporaryDirectory();
const { signal } = new AbortController();
await copyFile(join(CHECKOUT, "demo", `${CVE}.patch`), join(directory.path, `${CVE}.patch`));
const built = await suture(directory.path, ["build", "--package", PACKAGE, `${CVE}.patch`], signal);
if (built.status !== 0) throw new Error(`suture build ended with ${built.status}: ${built.code}`);
const file = join(directory.path, `livepatch-${CVE}.o`);
const { tree } = await openSourcePackage(PACKAGE, { cache: new Cache(), progress: silentProgress, signal });
const programs = join(dirname(tree), "shipped/usr/bin");
await using server = await startRedis(programs, directory.path);
const pid = ["--pid", String(server.pid)];
await done(["load", file, ...pid]);

// As many requests as take somewhat longer than the toggles.
const alone = toggling(50);
await alone.warm;
const { milliseconds } = await alone.toggled;
const { perSecond } = await benchmark(100_000);
const requests = Math.ceil((MARGIN * perSecond * milliseconds * toggles) / 50 / 1000);

const rows: { readonly alone: Latency; readonly patched: Latency; readonly toggles: number }[] = [];
const stops: number[] = [];
for (let pair = 0; pair < pairs; pair++) {
  const alone = await benchmark(Math.ceil(requests * ALONE));
  const patcher = toggling(2 * toggles);
  await patcher.warm;
  const patched = await benchmark(requests);
  patcher.stop();
  const toggled = await patcher.toggled;
  stops.push(...toggled.stopsUs);
  rows.push({ alone, patched, toggles: toggled.done });
  process.stdout.write(`99.9 % within ${alone.p999} ms, and ${patched.p999} ms with ${toggled.done} toggles\n`);
}
const more = median(rows.map(({ alone, patched }) => patched.p999 - alone.p999));
await done(["disable", NAME, ...pid]);
await done(["unload", NAME, ...pid]);
writeResults("redis-latency", {
  package: PACKAGE,
  requests,
  pauseMs: Number(pause),
  rows,
  medianMoreMs: more,
  medianStopUs: median(stops),
});

async function done(args: readonly string[]): Promise<void> {
  const ran = await suture(directory.path, [...args], signal);
  if (ran.status !== 0) throw new Error(`suture ${args[0]} ended with ${ran.status}: ${ran.code}`);
}

interface Toggling {
  readonly warm: Promise<void>;
  readonly toggled: Promise<Toggled>;
  stop(): void;
}

function toggling(times: number): Toggling {
  const args = [join(import.meta.dirname, "toggle.ts"), String(server.pid), NAME, String(times), pause];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const warm = once(lines, "line").then(() => {});
  const toggled = warm.then(() => once(lines, "line")).then(([line]) => JSON.parse(String(line)) as Toggled);
  return { warm, toggled, stop: () => child.stdin.end() };
}

function benchmark(count: number): Promise<Latency> {
  const args = ["-p", String(server.port), "-n", String(count), "-c", "20", "-t", "set"];
  return latencyOf(spawn(join(programs, "redis-benchmark"), args, { stdio: ["ignore", "pipe", "inherit"] }));
}

async function latencyOf(child: ChildProcess): Promise<Latency> {
  let text = "";
  for await (const part of child.stdout as NodeJS.ReadableStream) text += part;
  const steps = [...text.matchAll(/([\d.]+)% <= ([\d.]+) milliseconds \(cumulative count/g)];
  const step = steps.find(([, percent]) => Number(percent) >= 99.9);
  const rate = /throughput summary: ([\d.]+) requests per second/.exec(text);
  if (step === undefined || rate === null) throw new Error(`redis-benchmark did not say how it went:\n${text}`);
  return { p999: Number(step[2]), perSecond: Number(rate[1]) };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
