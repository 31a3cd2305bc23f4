/** How long a warm build takes beside its two compile commands alone, file by file. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileIn, compileInView } from "../../src/build/compile.ts";
import { layOutView } from "../../src/build/tree.ts";
import type { BenchKernel } from "./bench-kernel.ts";
import { buildCommand } from "./build-command.ts";
import { outcomeOf, type Timing } from "./row.ts";
import type { Rows } from "./table.ts";

/** One at a time; the original of each is in the cache from the run before. */
export async function timeBuilds(kernel: BenchKernel, rows: Rows, directory: string, say: (text: string) => void) {
  const built = rows.all().filter((row) => outcomeOf(row) === "built" && row.timing === undefined);
  for (const [i, { file }] of built.entries()) {
    const timing = await timeOf(kernel, file, directory);
    if (timing === undefined) continue;
    rows.update(file, { timing });
    say(`${i + 1}/${built.length} ${file}: ${(timing.build / timing.compiles).toFixed(2)} of its compiles`);
  }
}

async function timeOf(kernel: BenchKernel, file: string, directory: string): Promise<Timing | undefined> {
  const { release, pair } = kernel;
  const diff = pair.diff([file]);
  const { outcome, seconds } = await buildCommand({ release, diff, name: "timed", directory, jobs: undefined });
  if (outcome.kind !== "built") return undefined;
  const { diff: diffSeconds = 0, link = 0 } = outcome.seconds;
  return { build: seconds, compiles: await compilesAlone(kernel, file), diffAndLink: diffSeconds + link };
}

/** Original and patched side by side, with the flags that a build uses. */
async function compilesAlone(kernel: BenchKernel, file: string): Promise<number> {
  const objects = mkdtempSync(join(tmpdir(), "suture-alone-"));
  const viewed = mkdtempSync(join(tmpdir(), "suture-view-"));
  const options = kernel.compileOptions();
  try {
    const { patched } = kernel.pair.texts(file);
    const view = layOutView(kernel.kernel.source, viewed, [
      { path: file, text: patched === undefined ? undefined : Buffer.from(patched, "latin1") },
    ]);
    const units = await kernel.unitsOf(file);
    const into = () => mkdtempSync(join(objects, "unit-"));
    const began = performance.now();
    await Promise.all(
      units.flatMap((unit) => [
        compileIn(unit, kernel.kernel.source, into(), options),
        compileInView(unit, view, into(), options),
      ]),
    );
    return (performance.now() - began) / 1000;
  } finally {
    rmSync(objects, { recursive: true, force: true });
    rmSync(viewed, { recursive: true, force: true });
  }
}
