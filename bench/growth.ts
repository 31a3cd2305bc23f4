/**
 * How time and memory of a build grow with the translation units of its diff,
 * and what a header costs that about 500 of them include.
 *
 *   node bench/growth.ts [--most N] [--no-header]
 *
 * The diffs of 1 to 100 units are those of the corpus's files that build alone,
 * put together, so bench/kernel-corpus.ts has to have run.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createTwoFilesPatch } from "diff";
import { silentProgress } from "../src/lib/progress.ts";
import type { PatchMetadata } from "../src/patch/metadata.ts";
import { allUnits } from "../src/provider/kernel/units-file.ts";
import { openIncludeGraph } from "../src/subject/kernel/units/include-graph.ts";
import { BenchKernel } from "./corpus/bench-kernel.ts";
import { machine } from "./machine.ts";
import { type Measured, measured, rounded } from "./measured-command.ts";

const SIZES = [1, 2, 5, 10, 20, 50, 100];
const WIDE = 500;
const TABLE = new URL("./results/kernel-corpus.tsv", import.meta.url);

export interface Growth {
  /** Compiled, compared and proved. */
  readonly units: number;
  /** Functions that the livepatch patches. */
  readonly functions: number;
  /** No original is in the cache. */
  readonly coldSeconds: number;
  readonly warmSeconds: number;
  /** Warm, the compilers with it. */
  readonly processorSeconds: number;
  /** The compilers are not counted. */
  readonly peakMegabytes: number;
  /** Processes that ran or waited for a processor, by /proc/loadavg, when it was over. */
  readonly load?: number;
}

export interface GrowthResults {
  readonly release: string;
  readonly sizes: readonly Growth[];
  readonly header: (Growth & { readonly path: string }) | undefined;
}

const { values } = parseArgs({
  options: { most: { type: "string", default: "100" }, "no-header": { type: "boolean", default: false } },
});
const kernel = await BenchKernel.open("6.1.0-47-cloud-amd64", { name: "linux-source-6.1", version: "6.1.176-1" });
const directory = kernel.workDirectory("growth");
const cache = join(directory, "cache");
rmSync(directory, { recursive: true, force: true });
mkdirSync(cache, { recursive: true });
try {
  shareAllButOriginals();
  const sizes: Growth[] = [];
  for (const size of SIZES.filter((each) => each <= Number(values.most))) {
    sizes.push(await growthOf(`units-${size}`, kernel.pair.diff(builtFiles(size))));
    keep({ release: kernel.release, sizes, header: undefined });
  }
  if (!values["no-header"]) keep({ release: kernel.release, sizes, header: await growthByHeader() });
} finally {
  rmSync(directory, { recursive: true });
}

function keep(results: GrowthResults): void {
  const text = JSON.stringify({ ...results, machine: machine(kernel.compiler.text) }, undefined, 2);
  writeFileSync(new URL("./results/growth.json", import.meta.url), `${text}\n`);
}

function shareAllButOriginals(): void {
  for (const kind of ["kernels", "includes", "compilers", "node"]) {
    mkdirSync(kernel.cache.kind(kind), { recursive: true });
    symlinkSync(kernel.cache.kind(kind), join(cache, kind));
  }
}

/** Files of the corpus that build alone, spread evenly over it; what is switched at one moment can be of one object only. */
function builtFiles(count: number): string[] {
  const [head = "", ...lines] = readFileSync(TABLE, "utf8").split("\n");
  const [outcome, notes] = ["outcome", "notes"].map((name) => head.split("\t").indexOf(name)) as [number, number];
  const built = lines
    .map((line) => line.split("\t"))
    .filter((fields) => fields[outcome] === "built" && fields[notes]?.includes("SWITCHED_AT_ONCE") === false);
  return Array.from({ length: count }, (_, i) => built[Math.floor((i * built.length) / count)]?.[0] ?? "");
}

async function growthByHeader(): Promise<GrowthResults["header"]> {
  const path = await headerOf(WIDE);
  return { path, ...(await growthOf("header", headerDiff(path))) };
}

/** The header that the number of units nearest to `count` include, directly or not. */
async function headerOf(count: number): Promise<string> {
  const graph = await openIncludeGraph(kernel.kernel, kernel.cache, { progress: silentProgress });
  const units = (await allUnits(kernel.kernel)).filter(({ lands }) => lands.kind !== "elsewhere");
  const distance = (path: string): number => {
    const includers = graph.readersOf([path]);
    return Math.abs(units.filter(({ source }) => includers.has(source)).length - count);
  };
  const headers = ["include/linux", "include/net"].flatMap((below) =>
    readdirSync(join(kernel.kernel.source, below))
      .filter((name) => name.endsWith(".h"))
      .map((name) => `${below}/${name}`),
  );
  const [nearest] = headers
    .map((path) => ({ path, distance: distance(path) }))
    .sort((a, b) => a.distance - b.distance || (a.path < b.path ? -1 : 1));
  if (nearest === undefined) throw new Error("the source has no headers");
  return nearest.path;
}

/** A declaration more in the header, and a function that is patched: the units get other tokens and no other code. */
function headerDiff(path: string): string {
  const says = "	seq_printf(m, linux_proc_banner,";
  const edit = (file: string, change: (text: string) => string): string => {
    const text = readFileSync(join(kernel.kernel.source, file), "latin1");
    return createTwoFilesPatch(`a/${file}`, `b/${file}`, text, change(text));
  };
  const declared = (text: string): string => {
    const at = text.lastIndexOf("#endif");
    return `${text.slice(0, at)}extern int suture_growth;\n${text.slice(at)}`;
  };
  const saying = (text: string): string => text.replace(says, `	seq_puts(m, "patched ");\n${says}`);
  return edit(path, declared) + edit("fs/proc/version.c", saying);
}

async function growthOf(name: string, diff: string): Promise<Growth> {
  writeFileSync(join(directory, `${name}.patch`), diff, "latin1");
  const cold = await build(name);
  const warm = await build(name);
  const growth = {
    units: new Set(warm.metadata.proofs.map(({ source }) => source)).size,
    functions: warm.metadata.objects.reduce((sum, { funcs }) => sum + funcs.length, 0),
    coldSeconds: cold.seconds,
    warmSeconds: warm.seconds,
    processorSeconds: warm.processorSeconds,
    peakMegabytes: Math.max(cold.peakMegabytes, warm.peakMegabytes),
    load: rounded(loadavg()[0] ?? 0),
  };
  process.stdout.write(`${name}: ${JSON.stringify(growth)}\n`);
  rmSync(join(cache, "originals"), { recursive: true });
  rmSync(join(cache, "preprocessed"), { recursive: true, force: true });
  return growth;
}

async function build(name: string): Promise<Measured & { readonly metadata: PatchMetadata }> {
  const args = ["build", "--json", "--kernel", kernel.release, `${name}.patch`];
  const run = await measured(args, directory, { SUTURE_CACHE: cache });
  if (run.status !== 0) throw new Error(`${name}: exit code ${run.status}: ${run.stderr}${run.stdout}`.slice(0, 4000));
  return { ...run, metadata: (JSON.parse(run.stdout) as { metadata: PatchMetadata }).metadata };
}
