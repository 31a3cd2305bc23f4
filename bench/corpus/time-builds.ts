/** How long a warm build takes beside its two compile commands alone, file by file. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { changesOf, layOutView, viewDirectory } from "../../src/source/tree.ts";
import { argumentsFor } from "../../src/subject/kernel/compile.ts";
import type { BenchKernel } from "./bench-kernel.ts";
import { buildCommand } from "./build-command.ts";
import { outcomeOf, type Timing } from "./row.ts";
import type { Rows } from "./table.ts";

const ROUNDS = 3;

export interface TimeOptions {
  readonly directory: string;
  readonly say: (text: string) => void;
  /** Files, the first ones. */
  readonly most?: number;
}

/**
 * One at a time, the original in the cache: of each the least of three rounds, a
 * build and then its compile commands. What else the machine does only adds time.
 */
export async function timeBuilds(
  kernel: BenchKernel,
  rows: Rows,
  { directory, say, most }: TimeOptions,
): Promise<void> {
  const built = rows
    .all()
    .filter((row) => outcomeOf(row) === "built")
    .slice(0, most)
    .filter(({ timing }) => timing === undefined);
  for (const [i, { file }] of built.entries()) {
    const timing = await timeOf(kernel, file, directory);
    rows.update(file, { timing });
    say(`${i + 1}/${built.length} ${file}: ${(timing.build / timing.compiles).toFixed(2)} of its compiles`);
  }
}

async function timeOf(kernel: BenchKernel, file: string, directory: string): Promise<Timing> {
  const { release, pair } = kernel;
  const input = { release, diff: pair.diff([file]), name: "timed", directory, jobs: undefined };
  await buildCommand(input);
  const rounds: Timing[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { outcome, seconds } = await buildCommand(input);
    if (outcome.kind !== "built") throw new Error(`${file} was built before, and is now ${outcome.kind}`);
    const { diff = 0, link = 0 } = outcome.seconds;
    rounds.push({ build: seconds, compiles: await compilesAlone(kernel, file), diffAndLink: diff + link });
  }
  const least = (of: (timing: Timing) => number): number => Math.min(...rounds.map(of));
  return {
    build: least(({ build }) => build),
    compiles: least(({ compiles }) => compiles),
    diffAndLink: least(({ diffAndLink }) => diffAndLink),
  };
}

/** The compiler on original and patched, with a build's flags and in its places, and no objtool. */
async function compilesAlone(kernel: BenchKernel, file: string): Promise<number> {
  await using objects = await temporaryDirectory();
  await using views = await viewDirectory();
  const { source } = kernel.kernel;
  layOutView(source, views.path, changesOf([{ path: file, kind: "source", ...kernel.pair.texts(file) }]));
  const units = (await kernel.unitsOf(file)).filter(({ lands }) => lands.kind !== "elsewhere");
  const commands = units.flatMap((unit, i) =>
    [source, views.path].map((cwd, side) => {
      const object = join(objects.path, `${i}-${side}.o`);
      const files = [`-Wp,-MMD,${object}.d`, "-c", "-o", object, unit.source];
      return { cwd, args: [...argumentsFor(unit, kernel.compileOptions()), ...files] };
    }),
  );
  const began = performance.now();
  await Promise.all(commands.map(({ cwd, args }) => compiled(kernel.compiler.path, args, cwd)));
  return (performance.now() - began) / 1000;
}

function compiled(program: string, args: readonly string[], cwd: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: "ignore" });
    child.on("error", reject);
    child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`${program} ended with ${code}`))));
  });
}
