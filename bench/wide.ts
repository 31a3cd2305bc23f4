/**
 * What a diff costs whose headers very many units include: those of the corpus that need such headers, each with
 * nothing of it in the cache, and again.
 *
 *   node bench/wide.ts [--only FILE,...]
 *
 * Which they are is in the table that bench/kernel-corpus.ts leaves: those of more units than it tries.
 */
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { PatchMetadata } from "../src/patch/metadata.ts";
import type { Refusal } from "../src/patch/refusal.ts";
import { BenchKernel } from "./corpus/bench-kernel.ts";
import { machine } from "./machine.ts";
import { type Measured, measured, rounded } from "./measured-command.ts";

const TABLE = new URL("./results/kernel-corpus.tsv", import.meta.url);
const RESULTS = new URL("./results/wide.json", import.meta.url);

export interface Wide {
  readonly file: string;
  readonly headers: readonly string[];
  /** That may read one of the headers. */
  readonly readers: number;
  readonly outcome: "built" | "refused" | "no change of code";
  /** Of what it was refused for. */
  readonly codes: readonly string[];
  /** Compiled, compared and proved. */
  readonly units: number;
  readonly coldSeconds: number;
  /** The compilers with it. */
  readonly coldProcessorSeconds: number;
  readonly warmSeconds: number;
  readonly warmProcessorSeconds: number;
  /** The compilers are not counted. */
  readonly peakMegabytes: number;
  /** Processes that ran or waited for a processor, by /proc/loadavg, when it was over. */
  readonly load: number;
}

export interface WideResults {
  readonly release: string;
  readonly diffs: readonly Wide[];
}

const { values } = parseArgs({ options: { only: { type: "string" } } });
const kernel = await BenchKernel.open("6.1.0-47-cloud-amd64", { name: "linux-source-6.1", version: "6.1.176-1" });
const directory = kernel.workDirectory(`wide-${process.pid}`);
const cache = join(directory, "cache");
mkdirSync(cache, { recursive: true });
try {
  const diffs: Wide[] = [];
  const only = values.only?.split(",");
  for (const each of tooWide().filter(({ file }) => only?.includes(file) ?? true)) {
    diffs.push(await wideBuild(each));
    if (only === undefined) keep({ release: kernel.release, diffs });
  }
} finally {
  rmSync(directory, { recursive: true });
}

function keep(results: WideResults): void {
  writeFileSync(RESULTS, `${JSON.stringify({ ...results, machine: machine(kernel.compiler.text) }, undefined, 2)}\n`);
}

/** What a kernel that is ready has. */
function shareKernel(): void {
  rmSync(cache, { recursive: true, force: true });
  for (const kind of ["kernels", "compilers", "node"]) {
    mkdirSync(kernel.cache.kind(kind), { recursive: true });
    mkdirSync(cache, { recursive: true });
    symlinkSync(kernel.cache.kind(kind), join(cache, kind));
  }
}

interface WideDiff {
  readonly file: string;
  readonly others: readonly string[];
  readonly readers: number;
}

function tooWide(): WideDiff[] {
  const [head = "", ...lines] = readFileSync(TABLE, "utf8").split("\n");
  const columns = head.split("\t");
  const column = (name: string): number => columns.indexOf(name);
  return lines
    .map((line) => line.split("\t"))
    .filter((fields) => fields[column("with_others")] === "too-wide")
    .map((fields) => ({
      file: fields[0] as string,
      others: (fields[column("others")] ?? "").split(","),
      readers: Number(fields[column("units")]),
    }));
}

async function wideBuild({ file, others, readers }: WideDiff): Promise<Wide> {
  shareKernel();
  const name = file.replaceAll("/", "-").replace(/\.c$/, "");
  writeFileSync(join(directory, `${name}.patch`), kernel.pair.diff([file, ...others].sort()), "latin1");
  const cold = await build(name);
  const warm = await build(name);
  const found: Wide = {
    file,
    headers: others,
    readers,
    outcome: warm.outcome,
    codes: [...new Set(warm.refusals.map(({ code }) => code))],
    units: new Set(warm.metadata?.proofs.map(({ source }) => source)).size,
    coldSeconds: cold.seconds,
    coldProcessorSeconds: cold.processorSeconds,
    warmSeconds: warm.seconds,
    warmProcessorSeconds: warm.processorSeconds,
    peakMegabytes: Math.max(cold.peakMegabytes, warm.peakMegabytes),
    load: rounded(loadavg()[0] ?? 0),
  };
  process.stdout.write(`${JSON.stringify(found)}\n`);
  for (const { code, what } of warm.refusals.slice(0, 3)) process.stdout.write(`  ${code}: ${what.slice(0, 300)}\n`);
  return found;
}

interface Built extends Measured {
  readonly outcome: Wide["outcome"];
  readonly refusals: readonly Refusal[];
  readonly metadata: PatchMetadata | undefined;
}

const OUTCOMES: Readonly<Record<number, Wide["outcome"]>> = { 0: "built", 2: "refused", 3: "no change of code" };

async function build(name: string): Promise<Built> {
  const args = ["build", "--json", "--kernel", kernel.release, `${name}.patch`];
  const run = await measured(args, directory, { SUTURE_CACHE: cache });
  const outcome = OUTCOMES[run.status ?? -1];
  if (outcome === undefined) throw new Error(`${name}: ${run.status}: ${run.stderr}${run.stdout}`.slice(0, 4000));
  const said = JSON.parse(run.stdout) as { refusals?: readonly Refusal[]; metadata?: PatchMetadata };
  return { ...run, outcome, refusals: said.refusals ?? [], metadata: said.metadata };
}
