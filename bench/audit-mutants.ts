/**
 * Audits the livepatches that a run of bench/mutants.ts with --keep has left, by the audit of today.
 *
 *   node bench/audit-mutants.ts --seed S [--kernel RELEASE] [--part I/N]
 *
 * Exit code 1 where anything is found.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Cache } from "../src/lib/cache.ts";
import { silentProgress } from "../src/lib/progress.ts";
import { openKernel } from "../src/subject/kernel/open-kernel.ts";
import { auditMutant, livepatchPath, type Mutant } from "./mutants/mutant.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    kernel: { type: "string", default: "6.1.0-57-cloud-amd64" },
    part: { type: "string", default: "0/1" },
  },
});
const [part = 0, parts = 1] = values.part.split("/").map(Number);
const cache = new Cache();
const kernel = await openKernel({ kind: "release", release: values.kernel }, { cache, progress: silentProgress });
const directory = join(cache.kind("bench"), `mutants-${values.seed}`);
const options = { release: kernel.release, tree: kernel.source, directory, cache };
/** Some were not built when they were made again. */
const built = readFileSync(join(directory, "all.jsonl"), "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line) as Mutant)
  .filter(({ outcome }) => outcome === "built");
const ids = built.map(({ id }) => id).filter((id) => existsSync(livepatchPath(directory, id)));
let [audited, found] = [0, 0];
for (const [i, id] of ids.toSorted().entries()) {
  if (i % parts !== part) continue;
  const { findings } = await auditMutant(id, options);
  audited++;
  found += findings.length;
  for (const { kind, what } of findings) process.stdout.write(`${id}: ${kind}: ${what}\n`);
}
process.stdout.write(`${audited} audited, ${found} found\n`);
process.exitCode = found > 0 ? 1 : 0;
