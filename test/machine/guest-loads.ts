/** In a machine: loads, replaces and unloads livepatches in a row, counts what there is meanwhile, and writes it down. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { readLivepatchFile } from "../../src/patch/livepatch-file.ts";
import { KernelTarget } from "../../src/targets/kernel/kernel-target.ts";
import type { VerbResult } from "../../src/targets/verb-result.ts";
import type { Sample } from "./loads-in-a-row.ts";

type Verb = "load" | "replace" | "unload";

const SAMPLES = 10;
const [count = "", directory = ""] = process.argv.slice(2);
const rounds = Number(count);
const first = await readLivepatchFile(`${directory}/first.ko`);
const second = await readLivepatchFile(`${directory}/second.ko`);
const target = new KernelTarget();

function lines(path: string): string[] {
  return readFileSync(path, "latin1")
    .split("\n")
    .filter((line) => line !== "");
}

function counted(rows: readonly (readonly string[])[]): Record<string, number> {
  return Object.fromEntries(rows.map(([name = "", value]) => [name, Number(value)]));
}

function sample(round: number): Sample {
  globalThis.gc?.();
  writeFileSync("/proc/sys/vm/drop_caches", "3");
  const areas = lines("/proc/vmallocinfo").map((line) => Number(/ (\d+) /.exec(line)?.[1] ?? 0));
  return {
    round,
    memory: counted(lines("/proc/meminfo").map((line) => line.split(/:? +/))),
    vmalloc: { kB: areas.reduce((sum, each) => sum + each, 0) / 1024, areas: areas.length },
    slab: counted(
      lines("/proc/slabinfo")
        .slice(2)
        .map((line) => line.split(/ +/)),
    ),
    modules: lines("/proc/modules").length,
    livepatches: readdirSync("/sys/kernel/livepatch").length,
    hooked: lines("/sys/kernel/tracing/enabled_functions").length,
    files: Number(lines("/proc/sys/fs/file-nr")[0]?.split("\t")[0]),
    own: readdirSync("/proc/self/fd").length,
    mappings: readdirSync("/proc").reduce((sum, pid) => sum + (/^\d+$/.test(pid) ? mappingsOf(pid) : 0), 0),
  };
}

function mappingsOf(pid: string): number {
  try {
    return lines(`/proc/${pid}/maps`).length;
  } catch {
    // It has ended.
    return 0;
  }
}

/** Rounds of each kind of work that were done so far: see working.c. */
function work(): readonly (readonly [string, number])[] {
  const bytes = readFileSync(`${directory}/work`);
  return ["files", "network", "forks"].map((kind, at) => [kind, Number(bytes.readBigUInt64LE(8 * at))]);
}

const wrong: string[] = [];
const milliseconds: Record<Verb, number[]> = { load: [], replace: [], unload: [] };
const THERE: Readonly<Record<Verb, string>> = { load: "first", replace: "second", unload: "" };

async function timed(verb: Verb, round: number, run: () => Promise<VerbResult>): Promise<void> {
  const began = performance.now();
  const { outcome, problems } = await run();
  milliseconds[verb].push(Math.round(performance.now() - began));
  const names = readdirSync("/sys/kernel/livepatch").join(" ");
  if (outcome === "done" && names === THERE[verb]) return;
  wrong.push([round, verb, outcome, names, ...problems.map(({ code, what }) => `${code}: ${what}`)].join(" "));
}

const before = new Map(work());
const samples: Sample[] = [];
for (let round = 0; round < rounds; round++) {
  if (round % Math.ceil(rounds / SAMPLES) === 0) samples.push(sample(round));
  await timed("load", round, async () => await target.load(first));
  await timed("replace", round, async () => await target.load(second));
  await timed("unload", round, async () => await target.unload("second"));
}
samples.push(sample(rounds));
const done = Object.fromEntries(work().map(([kind, after]) => [kind, after - (before.get(kind) ?? 0)]));
writeFileSync(`${directory}/in-a-row.json`, JSON.stringify({ wrong, samples, milliseconds, work: done }));
process.exit(0);
