/**
 * The newest kernel of each of Debian's suites and flavours, made ready on this
 * machine: files picked at random from those that differ to the upstream version
 * before it, each a livepatch; built, audited, rehearsed.
 *
 *   node bench/kernels.ts [--sample N] [--seed N] [--widen-seconds N] [--keep] [--again] [--timed N] [RELEASE...]
 *
 * A run that was stopped goes on from where it was, by its seed, which is printed. `--again` tries anew what was refused
 * or crashed in it, and livepatches in which the audit has found anything. `--timed` says of how many files the warm
 * build is timed beside its compiles.
 */
import { randomInt } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Cache } from "../src/lib/cache.ts";
import { SutureError } from "../src/lib/error.ts";
import { progressTo } from "../src/lib/progress.ts";
import type { AvailableKernel } from "../src/provider/available-kernel.ts";
import { listKernels } from "../src/provider/kernel/kernel-store.ts";
import { distribution } from "../src/provider/registry/distributions.ts";
import { removeKernel } from "../src/provider/registry/kernels.ts";
import { auditAll } from "./corpus/audit-all.ts";
import { BenchKernel } from "./corpus/bench-kernel.ts";
import { changedSources } from "./corpus/changed-sources.ts";
import { buildAll } from "./corpus/outcomes.ts";
import { rehearseAll } from "./corpus/rehearse-all.ts";
import { livepatchOf, outcomeOf, type Row } from "./corpus/row.ts";
import { sampleOf } from "./corpus/sample.ts";
import { ratios } from "./corpus/summary.ts";
import { Rows } from "./corpus/table.ts";
import { timeBuilds } from "./corpus/time-builds.ts";
import { type Machine, machine } from "./machine.ts";

/** What the files of one kernel came to. */
export interface KernelRow {
  readonly release: string;
  readonly suite: string;
  readonly flavour: string;
  readonly version: string;
  /** The version that the files differ to. */
  readonly other: string;
  readonly compiler: string;
  /** Files that were picked, of so many. */
  readonly files: number;
  readonly of: number;
  readonly built: number;
  readonly noChange: number;
  /** Refused, among other things maybe, since a type's layout, or data that runs, would become another. */
  readonly held: number;
  /** Refused since all that they change has run, or is never run. */
  readonly idle: number;
  /** By the first code. */
  readonly refused: Readonly<Record<string, number>>;
  readonly crashed: number;
  /** Livepatches in which the audit found nothing. */
  readonly audited: number;
  /** Livepatches that loaded, patched and unloaded in a virtual machine, with nothing in its log. */
  readonly rehearsed: number;
  /** Of files that were timed: a warm build, times its two compile commands alone. */
  readonly timed: number;
  readonly ratioToCompiles: { readonly median: number; readonly p90: number } | undefined;
}

export interface KernelsResults {
  readonly seed: number;
  readonly kernels: readonly KernelRow[];
  readonly machine: Machine;
}

const RESULTS = new URL("./results/kernels.json", import.meta.url);
/** What a kernel is not made ready for that the archive lists. */
const NOT_READY: ReadonlySet<string> = new Set(["PACKAGE_MISSING", "WRONG_COMPILER", "DOWNLOAD_FAILED"]);
const SAMPLE = 20;
/** Seconds for which files that do not compile alone are tried with others of their version, by default. */
const WIDEN_SECONDS = "300";

const { values, positionals } = parseArgs({
  options: {
    sample: { type: "string", default: String(SAMPLE) },
    seed: { type: "string" },
    "widen-seconds": { type: "string", default: WIDEN_SECONDS },
    keep: { type: "boolean", default: false },
    again: { type: "boolean", default: false },
    timed: { type: "string", default: "0" },
  },
  allowPositionals: true,
});
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** A kernel, and the version of its source that files are compared with. */
interface Chosen {
  readonly kernel: AvailableKernel;
  readonly other: string;
}

/** Of each suite, flavour and series those that can be had, the newest first, with the version before it, or else the one next to it. */
function groupsOf(available: readonly AvailableKernel[]): Chosen[][] {
  const whole = available.filter(({ missing }) => missing === undefined);
  const groups = new Map<string, AvailableKernel[]>();
  for (const each of whole) {
    for (const suite of each.suites) {
      const name = `${suite} ${each.flavour} ${seriesOf(each.version)}`;
      groups.set(name, [each, ...(groups.get(name) ?? [])]);
    }
  }
  return [...groups.values()].map((kernels) => withOthers(kernels, whole));
}

function withOthers(kernels: readonly AvailableKernel[], whole: readonly AvailableKernel[]): Chosen[] {
  return kernels.flatMap((kernel) => {
    const others = whole.filter((each) => each.flavour === kernel.flavour && each.version !== kernel.version);
    const same = others.filter(({ version }) => seriesOf(version) === seriesOf(kernel.version));
    const before = same.filter(({ version }) => compare(version, kernel.version) < 0);
    // An upload of the same upstream version changes a file or two.
    const upstream = before.filter(({ version }) => upstreamOf(version) !== upstreamOf(kernel.version));
    const other = upstream.at(-1) ?? before.at(-1) ?? same.find(({ version }) => compare(version, kernel.version) > 0);
    return other === undefined ? [] : [{ kernel, other: other.version }];
  });
}

function upstreamOf(version: string): string {
  return version.slice(0, version.lastIndexOf("-"));
}

function seriesOf(version: string): string {
  return /^\d+\.\d+/.exec(version)?.[0] ?? version;
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

async function tried({ kernel, other }: Chosen, seed: number): Promise<KernelRow> {
  const { release, version, flavour, suites } = kernel;
  // Since 7.0 all of it is in the kernel itself.
  const series = Number.parseInt(version, 10);
  const name = `linux-source-${seriesOf(version)}`;
  const opened = await BenchKernel.open(release, { name, version: other, realTime: flavour === "rt" && series < 7 });
  const all = await changedSources(opened);
  const files = sampleOf(all, Number(values.sample), seed);
  const directory = opened.workDirectory(`kernels-${seed}/${release}`);
  mkdirSync(directory, { recursive: true });
  const rows = new Rows(files, join(directory, "rows.jsonl"), join(directory, "rows.tsv"), true);
  if (values.again) for (const row of rows.all()) rows.update(row.file, triedAgain(row));
  await buildAll(opened, rows, {
    directory: join(directory, "livepatches"),
    jobs: 2,
    widen: true,
    widenSeconds: Number(values["widen-seconds"]),
    say,
  });
  await auditAll(opened, rows, 2, say);
  await rehearseAll(opened, rows, directory, say);
  await timeBuilds(opened, rows, { directory, say, most: Number(values.timed) });
  const compiler = opened.compiler.text;
  const count = { files: files.length, of: all.length };
  return { release, suite: suites.join(", "), flavour, version, other, compiler, ...count, ...countsOf(rows.all()) };
}

/** What of a row is found out anew. */
function triedAgain(row: Row): Partial<Row> {
  if (["refused", "crashed"].includes(outcomeOf(row) ?? "")) return { alone: undefined };
  if (row.others !== undefined && row.others.result.outcome !== "built") return { others: undefined };
  return (row.audit?.findings.length ?? 0) > 0 ? { audit: undefined } : {};
}

/** What is refused of changes to what the running system holds. */
const HELD: ReadonlySet<string> = new Set(["DATA_LAYOUT_CHANGED", "DATA_CHANGED"]);
const IDLE: ReadonlySet<string> = new Set(["NOTHING_TO_PATCH", "INIT_ALREADY_RAN", "ONLY_EXPORTS"]);

function countsOf(rows: readonly Row[]) {
  const results = rows.map((row) => (outcomeOf(row) === "needs-others" ? row.others?.result : row.alone));
  const refused: Record<string, number> = {};
  for (const [i, row] of rows.entries()) {
    const result = results[i];
    if (livepatchOf(row) !== undefined || ["no-change", "crashed"].includes(result?.outcome ?? "")) continue;
    const code = result?.code || result?.outcome || "NOT_TRIED";
    refused[code] = (refused[code] ?? 0) + 1;
  }
  const outcomes = results.map((result) => result?.outcome);
  const timings = rows.flatMap(({ timing }) => timing ?? []);
  const refusedFor = (codes: ReadonlySet<string>) =>
    results.filter((it) => it?.outcome === "refused" && it.codes.some((code) => codes.has(code))).length;
  return {
    built: rows.filter((row) => livepatchOf(row) !== undefined).length,
    noChange: outcomes.filter((outcome) => outcome === "no-change").length,
    held: refusedFor(HELD),
    idle: refusedFor(IDLE),
    refused,
    crashed: outcomes.filter((outcome) => outcome === "crashed").length,
    audited: rows.filter(({ audit }) => audit !== undefined && audit.findings.length === 0).length,
    rehearsed: rows.filter(({ vm }) => vm?.kind === "patched").length,
    timed: timings.length,
    ratioToCompiles: ratios(timings),
  };
}

/** Rows of the seed, with those of other runs. */
function knownRows(): Map<string, KernelRow> {
  const known = existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, "utf8")) as KernelsResults) : undefined;
  return new Map((known?.seed === seed ? known.kernels : []).map((row) => [row.release, row]));
}

function publish(row: KernelRow): void {
  const kernels = [...knownRows().set(row.release, row).values()].sort((a, b) => compare(a.release, b.release));
  const results: KernelsResults = { seed, kernels, machine: machine("") };
  writeFileSync(new URL("./kernels.json.new", RESULTS), `${JSON.stringify(results, undefined, 2)}\n`);
  renameSync(new URL("./kernels.json.new", RESULTS), RESULTS);
}

const cache = new Cache();
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
say(`seed ${seed}`);
const found = await distribution().availableKernels({ cache, progress: progressTo(process.stderr) });
/** By release, whether it could be made ready; one kernel may be in several suites. */
const outcomes = new Map<string, boolean>();

/** False where the kernel cannot be made ready, which is said. */
async function isDone(each: Chosen): Promise<boolean> {
  const { release } = each.kernel;
  const wasReady = (await listKernels(cache)).some((kernel) => kernel.release === release);
  say(`${release}: files that differ to ${each.other}`);
  try {
    const row = await tried(each, seed);
    say(JSON.stringify(row));
    publish(row);
  } catch (error) {
    if (!(error instanceof SutureError) || !NOT_READY.has(error.code)) throw error;
    say(`${release} cannot be made ready: ${error.code}: ${error.message}`);
    return false;
  } finally {
    if (!wasReady && !values.keep) await removeKernel(cache, release);
  }
  return true;
}

const isWanted = ({ kernel }: Chosen): boolean => positionals.length === 0 || positionals.includes(kernel.release);
for (const group of groupsOf(found.kernels)) {
  // The newest that can be made ready: the archive may list packages that it has not got.
  for (const each of group.filter(isWanted)) {
    const { release } = each.kernel;
    const isTried = outcomes.get(release) ?? (await isDone(each));
    outcomes.set(release, isTried);
    if (isTried) break;
  }
}
const rows = [...knownRows().values()];
const isWrong = rows.some((row) => row.crashed > 0 || row.audited < row.built || row.rehearsed < row.built);
process.exitCode = isWrong ? 1 : 0;
