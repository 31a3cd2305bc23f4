import { allUnits } from "../../src/provider/kernel/units-file.ts";
import type { BenchKernel } from "./bench-kernel.ts";
import type { CorpusFile } from "./row.ts";

/** The C files that this configuration builds into the kernel or a module, and that the other version has otherwise. */
export async function changedSources({ kernel, pair }: BenchKernel): Promise<CorpusFile[]> {
  const units = (await allUnits(kernel)).filter(({ lands }) => lands.kind !== "elsewhere");
  const objects = new Map(units.map(({ source, lands }) => [source, lands.kind]));
  return [...objects]
    .filter(([source]) => source.endsWith(".c") && pair.differs(source))
    .map(([file, object]) => ({ file, object, reference: "" }))
    .sort((a, b) => (a.file < b.file ? -1 : 1));
}
