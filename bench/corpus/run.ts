/** One run over a corpus: build, prove, try in the virtual machine, time, and write down. */
import { randomInt } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { withLock } from "../../src/lib/lock.ts";
import { machine } from "../machine.ts";
import { auditAll } from "./audit-all.ts";
import { BenchKernel } from "./bench-kernel.ts";
import { matchAll } from "./match-all.ts";
import { buildAll } from "./outcomes.ts";
import { rehearseAll } from "./rehearse-all.ts";
import { type CorpusFile, livepatchOf, type Row } from "./row.ts";
import { sampleOf } from "./sample.ts";
import type { StockSource } from "./stock-source.ts";
import { summaryOf } from "./summary.ts";
import { Rows, readOthers } from "./table.ts";
import { timeBuilds } from "./time-builds.ts";

export interface Corpus {
  /** Of the results' files. */
  readonly name: string;
  readonly release: string;
  readonly newer: StockSource;
  readonly files: (kernel: BenchKernel) => readonly CorpusFile[] | Promise<readonly CorpusFile[]>;
  /** How many files, picked at random, a run takes by default; all by default. */
  readonly sample?: number;
}

const RESULTS = fileURLToPath(new URL("../results", import.meta.url));
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Returns the exit code: 1 where a build crashed, or a success patches nothing. */
export async function runCorpus(corpus: Corpus, argv: readonly string[]): Promise<number> {
  const options = readOptions(argv);
  const kernel = await BenchKernel.open(corpus.release, corpus.newer);
  const all = await corpus.files(kernel);
  const seed = options.seed ?? randomInt(2 ** 31);
  const sample = options.sample ?? corpus.sample;
  const files = options.only !== undefined ? chosen(all, options.only) : sampleOf(all, sample ?? all.length, seed);
  if (sample !== undefined) say(`seed ${seed}: ${files.length} of ${all.length} files`);
  // What a part of a corpus comes to is no result of the corpus.
  const isPart = files.length < Math.min(all.length, corpus.sample ?? all.length);
  const directory = kernel.workDirectory(isPart ? `${corpus.name}-part` : corpus.name);
  const results = options.results ?? (isPart ? directory : RESULTS);
  mkdirSync(directory, { recursive: true });
  const onWait = (pid: number): void => say(`waiting for process ${pid}, which runs the same corpus`);
  const picked = sample === undefined ? {} : { seed, of: all.length };
  const work = () => runFiles(kernel, files, { ...options, name: corpus.name, directory, results, picked });
  return await withLock(join(directory, "lock"), work, { onWait });
}

interface RunOptions extends ReturnType<typeof readOptions> {
  readonly name: string;
  readonly directory: string;
  readonly results: string;
  /** Which files these are, for the summary. */
  readonly picked: { readonly seed?: number; readonly of?: number };
}

async function runFiles(kernel: BenchKernel, files: readonly CorpusFile[], options: RunOptions): Promise<number> {
  const { directory } = options;
  // What only looks has no say in what is tried and timed.
  const name = options.vm || options.timing || !options.audit ? options.name : `${options.name}-audit`;
  const livepatches = join(directory, "livepatches");
  const rows = new Rows(files, join(directory, "rows.jsonl"), join(options.results, `${name}.tsv`), options.resume);
  await buildAll(kernel, rows, {
    directory: livepatches,
    jobs: options.jobs,
    widen: options.widen,
    widenSeconds: options.widenSeconds,
    others: options.othersFrom === undefined ? undefined : readOthers(options.othersFrom),
    say,
  });
  await matchAll(kernel, rows, say);
  if (options.audit) await auditAll(kernel, rows, options.jobs, say);
  if (options.vm) await rehearseAll(kernel, rows, directory, say);
  if (options.timing) await timeBuilds(kernel, rows, { directory: livepatches, say });
  const summary = { ...summaryOf(rows.all()), ...options.picked, machine: machine(kernel.compiler.text) };
  writeFileSync(join(options.results, `${name}.json`), `${JSON.stringify(summary, undefined, 2)}\n`);
  say(JSON.stringify(summary, undefined, 2));
  const empty = rows.all().filter(patchesNothing);
  for (const { file } of empty) say(`${file}: built, and patches nothing`);
  return summary.crashed + empty.length > 0 ? 1 : 0;
}

/** What livepatches without functions do: set the module's exit function, or overwrite values. */
const OTHER_EFFECTS = ["MODULE_EXIT", "SWITCHED_AT_ONCE"];

function patchesNothing(row: Row): boolean {
  const result = row.alone?.outcome === "built" ? row.alone : row.others?.result;
  if (livepatchOf(row) === undefined || result?.funcs !== 0) return false;
  return !result.notes.some((note) => OTHER_EFFECTS.includes(note));
}

function readOptions(argv: readonly string[]) {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: "string" },
      sample: { type: "string" },
      seed: { type: "string" },
      jobs: { type: "string", default: "2" },
      resume: { type: "boolean", default: false },
      "others-minutes": { type: "string" },
      "others-from": { type: "string" },
      "no-others": { type: "boolean", default: false },
      "no-vm": { type: "boolean", default: false },
      "no-timing": { type: "boolean", default: false },
      audit: { type: "boolean", default: false },
      results: { type: "string" },
    },
  });
  const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
  return {
    only: values.only?.split(","),
    sample: number(values.sample),
    seed: number(values.seed),
    jobs: Number(values.jobs),
    resume: values.resume,
    widen: !values["no-others"],
    widenSeconds: (number(values["others-minutes"]) ?? Number.POSITIVE_INFINITY) * 60,
    othersFrom: values["others-from"],
    vm: !values["no-vm"],
    timing: !values["no-timing"],
    audit: values.audit,
    results: values.results,
  };
}

function chosen(all: readonly CorpusFile[], names: readonly string[]): CorpusFile[] {
  return names.map((name) => {
    const found = all.find(({ file }) => file === name);
    if (found === undefined) throw new Error(`${name} is not a file of the corpus`);
    return found;
  });
}
