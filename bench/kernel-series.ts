/**
 * A series of 30 fixes for a kernel, cut from what differs between two of Debian's (test/fixtures/cut-fixes.ts):
 * which of them go into one livepatch, and, for 8 that are picked at random, whether the set is the greatest of
 * all that can be built, each of them built: bench/results/kernel-series.json.
 *
 *     node bench/kernel-series.ts [--seed N] [--minutes M]
 *
 * With `--minutes` it ends then, and the next run of the same seed goes on.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { FixBuilder } from "../src/fixes/attempt.ts";
import { closureOf, greatestSet, type Tried } from "../src/fixes/choose.ts";
import { fixesOf } from "../src/fixes/fix.ts";
import { type NamedPatch, namedPatch } from "../src/fixes/named-patch.ts";
import { readSeriesText } from "../src/fixes/needs.ts";
import { Cache } from "../src/lib/cache.ts";
import type { Problem } from "../src/lib/error.ts";
import { silentProgress } from "../src/lib/progress.ts";
import { temporaryDirectory } from "../src/lib/temp.ts";
import type { PatchMetadata } from "../src/patch/metadata.ts";
import { buildKernelLivepatch } from "../src/subject/kernel/build.ts";
import { openKernel } from "../src/subject/kernel/open-kernel.ts";
import { CUT_FIXES, SERIES_KERNELS } from "../test/fixtures/cut-fixes.ts";
import { cutSeries } from "../test/fixtures/cut-series.ts";
import { machine } from "./machine.ts";

const RESULTS = new URL("./results/kernel-series.json", import.meta.url);
const PICKED = 8;

const { values } = parseArgs({ options: { seed: { type: "string" }, minutes: { type: "string" } } });
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e6));
const end = values.minutes === undefined ? Infinity : Date.now() + Number(values.minutes) * 60_000;

const cache = new Cache();
const kept = join(cache.directory, "bench/kernel-series");
mkdirSync(kept, { recursive: true });
const options = { cache, progress: silentProgress, signal: new AbortController().signal, jobs: availableParallelism() };
const without = { kind: "release", release: SERIES_KERNELS.without } as const;
const [before, after] = [
  await openKernel(without, options),
  await openKernel({ kind: "release", release: SERIES_KERNELS.with }, options),
];
const patches = await cutSeries(CUT_FIXES, before.source, after.source);
const series = patches.map(({ name, text }) => namedPatch(name, Buffer.from(text, "latin1")));

class TimeIsOver extends Error {}

try {
  const whole = await wholeSeries();
  for (const { name, state, code = "" } of whole.fixes) process.stdout.write(`${name.padEnd(30)} ${state} ${code}\n`);
  const subsets = await allSubsets(picked(series));
  const results = { kernel: SERIES_KERNELS, whole, seed, subsets, machine: machine("") };
  writeFileSync(RESULTS, `${JSON.stringify(results, undefined, 2)}\n`);
} catch (error) {
  if (!(error instanceof TimeIsOver)) throw error;
  process.stdout.write(`time is over: node bench/kernel-series.ts --seed ${seed} goes on\n`);
}

/** What has been found is kept, and not looked for again. */
async function once<Found>(name: string, find: () => Promise<Found>): Promise<Found> {
  const path = join(kept, `${name}.json`);
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Found;
  } catch {
    const found = await find();
    writeFileSync(path, JSON.stringify(found));
    return found;
  }
}

/** Tries sets of fixes; what came of each is kept. Throws where time is over. */
async function tries(of: string, own: readonly NamedPatch[], directory: string) {
  const fixes = fixesOf(own);
  const { needs } = readSeriesText(own, fixes, { tree: before.source, isPassedOver: () => false });
  const builder = new FixBuilder<PatchMetadata>(own, fixes, {
    directory,
    nameOf: () => "series",
    build: (diffs, name, output) =>
      buildKernelLivepatch({ ...options, kernel: without, diffs, name, output, strip: undefined, replace: true }),
  });
  await mkdir(join(kept, of), { recursive: true });
  const attempt = async (set: readonly number[]): Promise<Tried<Problem>> =>
    await once(join(of, digestOf(builder.patchesOf(set))), async () => {
      if (Date.now() > end) throw new TimeIsOver();
      const tried = await builder.try(set);
      process.stderr.write(
        `${set.map((fix) => fixes[fix]?.name).join(" ")}: ${tried.kind === "fails" ? tried.why.code : tried.kind}\n`,
      );
      return tried;
    });
  return { fixes, needs, attempt };
}

/** Of the very patches, since the series may be cut otherwise the next time. */
function digestOf(patches: readonly NamedPatch[]): string {
  const hash = createHash("sha256");
  for (const { data } of patches) hash.update(data);
  return hash.digest("hex").slice(0, 16);
}

async function wholeSeries() {
  await using directory = await temporaryDirectory();
  const { fixes, needs, attempt } = await tries("whole", series, directory.path);
  const chosen = await greatestSet(needs, attempt);
  return {
    tries: chosen.tries,
    fixes: fixes.map(({ name }, fix) => {
      const left = chosen.leftOut.get(fix);
      const code = left === undefined || left.kind === "needs" ? undefined : left.why.code;
      const state = chosen.set.includes(fix) ? "in" : left === undefined ? "changes nothing" : left.kind;
      return { name, state, code, needs: [...(needs[fix] ?? [])].map((other) => fixes[other]?.name ?? "") };
    }),
  };
}

/** In the order of the series. */
function picked(all: readonly NamedPatch[]): NamedPatch[] {
  let state = seed;
  const random = (): number => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state / 2 ** 31;
  };
  const order = all.map((patch) => ({ patch, at: random() })).toSorted((a, b) => a.at - b.at);
  const chosen = new Set(order.slice(0, PICKED).map(({ patch }) => patch));
  return all.filter((patch) => chosen.has(patch));
}

async function allSubsets(eight: readonly NamedPatch[]) {
  await using directory = await temporaryDirectory();
  const { fixes, needs, attempt } = await tries(String(seed), eight, directory.path);
  const closed = [...Array(1 << fixes.length).keys()]
    .map((bits) => [...fixes.keys()].filter((fix) => (bits & (1 << fix)) !== 0))
    .filter(
      (set) => set.length > 0 && set.every((fix) => [...closureOf(fix, needs)].every((each) => set.includes(each))),
    );
  for (const set of closed) await attempt(set);
  const chosen = await greatestSet(needs, attempt);
  const nothing = new Set(chosen.nothing);
  const worthOf = (set: readonly number[]): number => set.filter((fix) => !nothing.has(fix)).length;
  let greatest: readonly number[] = [];
  for (const set of closed)
    if ((await attempt(set)).kind !== "fails" && worthOf(set) > worthOf(greatest)) greatest = set;
  const named = (set: readonly number[]): string[] => set.map((fix) => fixes[fix]?.name ?? "");
  const isRight = worthOf(chosen.set) === worthOf(greatest);
  if (!isRight) throw new Error(`chosen: ${named(chosen.set).join()}; greatest: ${named(greatest).join()}`);
  return {
    picked: fixes.map(({ name }) => name),
    built: closed.length,
    chosen: named(chosen.set),
    greatest: worthOf(greatest),
    tries: chosen.tries,
  };
}
