/** Every file as a diff of its own, and again with others where it does not compile alone. */
import { mapParallel } from "../../src/lib/parallel.ts";
import type { BenchKernel } from "./bench-kernel.ts";
import { buildCommand } from "./build-command.ts";
import { buildWithCompanions, type WithCompanions } from "./companions.ts";
import { type CorpusFile, needsOthers, outcomeOf, type Result, type Row, resultOf } from "./row.ts";
import type { Others, Rows } from "./table.ts";

export interface OutcomeOptions {
  readonly directory: string;
  /** Builds at a time, each with one compiler. */
  readonly jobs: number;
  /** Whether files that do not compile alone are tried with others of their release. */
  readonly widen: boolean;
  /** After which no more of these are begun. */
  readonly widenSeconds: number;
  /** By file, the others that it needs, as an earlier run has found them: one that is not there is not tried. */
  readonly others?: ReadonlyMap<string, Others> | undefined;
  readonly say: (text: string) => void;
}

export async function buildAll(kernel: BenchKernel, rows: Rows, options: OutcomeOptions): Promise<void> {
  const open = rows.all().filter(({ alone }) => alone === undefined);
  let done = 0;
  await mapParallel(open, options.jobs, async (row) => {
    const part = await buildAlone(kernel, row, options.directory);
    rows.update(row.file, part);
    const { alone } = part;
    options.say(`${++done}/${open.length} ${row.file}: ${outcomeOf({ ...row, ...part })} ${alone.code}`);
  });
  if (!options.widen) return;
  const widening = rows
    .all()
    .filter((row) => outcomeOf(row) === "needs-others" && row.others === undefined)
    .filter(({ file }) => options.others?.has(file) !== false);
  done = 0;
  const began = performance.now();
  for (const row of widening) {
    if (performance.now() - began > options.widenSeconds * 1000) {
      options.say(`no time is left for ${widening.length - done} files`);
      break;
    }
    const others = await buildWithOthers(kernel, row, options);
    rows.update(row.file, { others });
    const { result, files, units } = others;
    options.say(
      `${++done}/${widening.length} ${row.file} with ${files.length - 1} others, ${units} units: ${result.outcome} ${result.code}`,
    );
  }
}

async function buildAlone(kernel: BenchKernel, { file }: CorpusFile, directory: string): Promise<{ alone: Result }> {
  const { release, pair } = kernel;
  const run = await buildCommand({ release, diff: pair.diff([file]), name: nameOf(file), directory, jobs: 1 });
  return { alone: resultOf(run) };
}

async function buildWithOthers(
  kernel: BenchKernel,
  { file }: Row,
  { directory, jobs, others }: OutcomeOptions,
): Promise<NonNullable<Row["others"]>> {
  const name = `${nameOf(file)}-and-others`;
  const input = { release: kernel.release, directory, jobs };
  const known = others?.get(file);
  if (known !== undefined) {
    const files = [file, ...known.files];
    const run = await buildCommand({ ...input, name, diff: kernel.pair.diff([...files].sort()) });
    return { files, units: known.units, result: resultOf(run) };
  }
  const alone = await buildCommand({ ...input, name: nameOf(file), diff: kernel.pair.diff([file]) });
  const refusals = alone.outcome.kind === "refused" ? alone.outcome.refusals : [];
  const found = await buildWithCompanions(file, refusals, kernel.pair, kernel, { directory, name, jobs });
  return { files: found.files, units: found.kind === "stuck" ? 0 : found.units, result: described(found) };
}

function described(found: WithCompanions): Result {
  const none = { code: "", codes: [], reason: "", funcs: 0, objects: [], notes: [], seconds: 0 };
  switch (found.kind) {
    case "tried": {
      const result = resultOf(found.run);
      return needsOthers(result) ? { ...result, outcome: "stuck" } : result;
    }
    case "too-wide":
      return { ...none, outcome: "too-wide", reason: `${found.units} translation units` };
    case "out-of-time":
      return { ...none, outcome: "out-of-time", reason: "more files are needed than could be found in time" };
    case "stuck":
      return { ...none, outcome: "stuck", reason: found.missing };
  }
}

/** A file's path as a name for its diff and its livepatch, unique among the kernel's first 55 characters of it. */
function nameOf(file: string): string {
  return file.replace(/\.c$/, "").replaceAll("/", "-").slice(-50);
}
