/**
 * What it is to have suture on a machine, as its package installs it: `suture load` of one process as a whole command, without
 * the daemon and with it; how soon a new process runs patched code; `suture status` over many
 * patched processes; and what the daemon costs while nothing happens.
 *
 *   node bench/process/resident.ts [--runs 20] [--processes 1000] [--idle SECONDS]
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { installProgram } from "../../packaging/installed-program.ts";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { livepatch, program } from "../../test/fixtures/patched-program.ts";
import { writeResults } from "./write-results.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "20" },
    processes: { type: "string", default: "1000" },
    idle: { type: "string", default: "30" },
  },
});
const runs = Number(values.runs);
const processes = Number(values.processes);
const idleSeconds = Number(values.idle);

await using directory = await temporaryDirectory();
const home = join(directory.path, "suture");
await installProgram(home);
const SUTURE = join(home, "bin/suture");
const root = join(directory.path, "root");
mkdirSync(join(root, "etc/suture"), { recursive: true });
writeFileSync(join(root, "etc/suture/suture.conf"), "require-signatures = no\n");
const env = { ...process.env, SUTURE_ROOT: root };
const source = readFileSync(join(import.meta.dirname, "resident.c"), "utf8");
const made = program({ directory: directory.path, name: "resident", source });
const fix = livepatch(made, source.replace("n * 16 + 1", "n * 16 + 2"), { name: "fix" });

const alone = await loads();
const many = await overMany();
suture("install", fix);
const daemon = await startDaemon();
const started = Array.from({ length: runs }, () => Number(execFileSync(made.path, { encoding: "utf8" })) / 1000);
suture("uninstall", "fix");
const served = await loads();
const idle = await idleness();
daemon.kill("SIGTERM");
await once(daemon, "close");
writeResults("resident", {
  runs,
  loadMs: { alone: spread(alone), served: spread(served) },
  startMs: spread(started),
  status: { processes, ms: spread(many) },
  idle,
});

/** @returns milliseconds that the command took */
function suture(...args: readonly string[]): number {
  const begun = performance.now();
  const { status, stderr } = spawnSync(SUTURE, [...args, "-q"], { env, encoding: "utf8" });
  if (status !== 0) throw new Error(`suture ${args[0]} ended with ${status}: ${stderr}`);
  return performance.now() - begun;
}

/** Of a process that nothing was loaded into before. */
async function loads(): Promise<number[]> {
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const child = await running(1);
    times.push(suture("load", fix, "--pid", String(child.pid)));
    child.kill("SIGKILL");
    await once(child, "close");
  }
  return times;
}

async function running(children: number): Promise<ChildProcess> {
  const child = spawn(made.path, [String(children)], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout as NodeJS.ReadableStream, "data");
  return child;
}

/** A patched process forks all the others. */
async function overMany(): Promise<number[]> {
  const child = await running(processes - 1);
  suture("load", fix, "--pid", String(child.pid));
  child.kill("SIGUSR1");
  await once(child.stdout as NodeJS.ReadableStream, "data");
  const times = Array.from({ length: runs }, () => suture("status"));
  child.kill("SIGKILL");
  await once(child, "close");
  return times;
}

async function startDaemon(): Promise<ChildProcess> {
  const child = spawn(SUTURE, ["daemon"], { env, stdio: ["ignore", "ignore", "pipe"] });
  await once(child.stderr as NodeJS.ReadableStream, "data");
  return child;
}

/** How often a thread of the daemon was on a processor while nothing was asked of it, and its memory. */
async function idleness(): Promise<{ readonly seconds: number; readonly wakeups: number; readonly megabytes: number }> {
  await wait(10_000);
  const before = switches();
  await wait(idleSeconds * 1000);
  const resident = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${daemon.pid}/status`, "latin1"))?.[1];
  return { seconds: idleSeconds, wakeups: switches() - before, megabytes: Math.round(Number(resident) / 1024) };
}

function switches(): number {
  const tasks = readdirSync(`/proc/${daemon.pid}/task`);
  const counts = tasks.map((task) => {
    const text = readFileSync(`/proc/${daemon.pid}/task/${task}/status`, "latin1");
    return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(text)?.[1] ?? 0);
  });
  return counts.reduce((sum, count) => sum + count, 0);
}

function spread(times: readonly number[]): { readonly least: number; readonly median: number; readonly most: number } {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (index: number): number => Math.round((sorted[index] ?? 0) * 10) / 10;
  return { least: at(0), median: at(sorted.length >> 1), most: at(sorted.length - 1) };
}
