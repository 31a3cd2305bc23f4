/**
 * Files picked at random from those that differ between two releases of 6.12, as
 * livepatches. The options are those of kernel-corpus.ts; the seed is printed.
 */
import { allUnits } from "../src/provider/kernel/units-file.ts";
import type { BenchKernel } from "./corpus/bench-kernel.ts";
import type { CorpusFile } from "./corpus/row.ts";
import { runCorpus } from "./corpus/run.ts";

process.exitCode = await runCorpus(
  {
    name: "kernel-6.12",
    release: "6.12.107+deb12-cloud-amd64",
    newer: { name: "linux-source-6.12", version: "6.12.117-1~deb12u1" },
    files: changedSources,
    sample: 40,
  },
  process.argv.slice(2),
);

/** The C files that this configuration builds into the kernel or a module, and that the newer release changes. */
async function changedSources({ kernel, pair }: BenchKernel): Promise<CorpusFile[]> {
  const units = (await allUnits(kernel)).filter(({ lands }) => lands.kind !== "elsewhere");
  const objects = new Map(units.map(({ source, lands }) => [source, lands.kind]));
  return [...objects]
    .filter(([source]) => source.endsWith(".c") && pair.differs(source))
    .map(([file, object]) => ({ file, object, reference: "" }))
    .sort((a, b) => (a.file < b.file ? -1 : 1));
}
