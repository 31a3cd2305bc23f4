/**
 * Whether units that a changed header is said not to reach have the same code:
 * they are compiled nevertheless, before and after, and put through the object
 * diff; and whether any of those is reached that have no name of the change.
 *
 *   node bench/reach.ts [--headers FILE,...] [--most UNITS] [--jobs N]
 *
 * `--most`: of each header's units that are left out, as many are compiled,
 * spread evenly over them.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compilePair } from "../src/builder/compile-units.ts";
import { Stopwatch } from "../src/builder/stopwatch.ts";
import { diffUnits } from "../src/diff/object-diff.ts";
import { readUnit } from "../src/diff/read-unit.ts";
import type { ElfFile } from "../src/elf/model.ts";
import { mapParallel } from "../src/lib/parallel.ts";
import { silentProgress } from "../src/lib/progress.ts";
import { temporaryDirectory } from "../src/lib/temp.ts";
import type { Unit } from "../src/provider/kernel/unit.ts";
import type { ChangedFile } from "../src/source/diffs/diff-input.ts";
import { changesOf, layOutView, viewDirectory } from "../src/source/tree.ts";
import { kernelSubject } from "../src/subject/kernel/kernel-subject.ts";
import { ShippedObjects } from "../src/subject/kernel/match/shipped-objects.ts";
import { openIncludeGraph } from "../src/subject/kernel/units/include-graph.ts";
import { mentioningUnits } from "../src/subject/kernel/units/mentioning-units.ts";
import { reachOf } from "../src/subject/kernel/units/preprocess.ts";
import { BenchKernel } from "./corpus/bench-kernel.ts";

const HEADERS =
  "include/linux/hugetlb.h,include/linux/hid.h,include/net/genetlink.h,include/rdma/ib_umem.h,include/linux/fsnotify_backend.h";

const { values } = parseArgs({
  options: {
    headers: { type: "string", default: HEADERS },
    most: { type: "string", default: "1000" },
    jobs: { type: "string", default: "2" },
  },
});
const jobs = Number(values.jobs);
const kernel = await BenchKernel.open("6.1.0-47-cloud-amd64", { name: "linux-source-6.1", version: "6.1.176-1" });
const graph = await openIncludeGraph(kernel.kernel, kernel.cache, { progress: silentProgress });
using shipped = await ShippedObjects.open(kernel.kernel, undefined);
let different = 0;
for (const header of values.headers.split(",")) {
  const counts = await tried(header);
  different += counts.different.length + counts.unnamedButReached.length;
  process.stdout.write(`${header}: ${JSON.stringify(counts)}\n`);
}
process.exitCode = different === 0 ? 0 : 1;

async function tried(header: string) {
  const { original, patched } = kernel.pair.texts(header);
  const files: ChangedFile[] = [{ path: header, kind: "header", original, patched }];
  const sources = [...graph.readersOf([header])].filter((path) => path.endsWith(".c"));
  const units = (await Promise.all(sources.map((source) => kernel.unitsOf(source))))
    .flat()
    .filter(({ lands }) => lands.kind !== "elsewhere");
  await using views = await viewDirectory();
  await using into = await temporaryDirectory();
  const view = layOutView(kernel.kernel.source, views.path, changesOf(files));
  const options = { ...kernel.compileOptions(), cache: kernel.cache, into: into.path };
  const began = performance.now();
  const reaches = await mapParallel(units, jobs, (unit) => reachOf(unit, view, options));
  const seconds = Math.round((performance.now() - began) / 1000);
  const all = new Map(units.map((unit) => [unit.object, unit]));
  const { asked } = await mentioningUnits(kernel.kernel, { units: all, graph }, files, {
    ...{ cache: kernel.cache, compiler: kernel.compiler, jobs, progress: silentProgress, signal: undefined },
  });
  const named = new Set(asked);
  const inert = units.filter((_, i) => reaches[i]?.kind === "inert");
  const count = Math.min(inert.length, Number(values.most));
  const picked = Array.from({ length: count }, (_, i) => inert[Math.floor((i * inert.length) / count)] as Unit);
  const run = { cache: kernel.cache, jobs, progress: silentProgress, signal: undefined, watch: new Stopwatch() };
  const subject = kernelSubject(kernel.kernel, kernel.compiler, run);
  const found = await mapParallel(picked, jobs, async (unit, index) => {
    const pair = await compilePair(unit, subject, { files, view, into: join(into.path, `${index}`) });
    if ("code" in pair) return `${unit.source}: does not compile`;
    const found = findingsOf(pair.originalFile, pair.patchedFile, unit);
    return found === findingsOf(pair.originalFile, pair.originalFile, unit) ? undefined : unit.source;
  });
  return {
    reached: units.length,
    /** Asked, since they have a name of the change; the others are not, and none of them may be reached. */
    named: named.size,
    unnamedButReached: units
      .filter(({ object }, i) => !named.has(object) && reaches[i]?.kind === "reached")
      .map(({ source }) => source),
    otherTokens: reaches.filter(({ kind }) => kind !== "same").length,
    unaffected: inert.length,
    seconds,
    compiled: picked.length,
    different: found.filter((each) => each !== undefined),
  };
}

/** Of the object diff; what it says of an object and itself is no difference. */
function findingsOf(original: ElfFile, patched: ElfFile, unit: Unit): string {
  const [before, after] = [original, patched].map((file) => readUnit(file, shipped.layouts.entrySizes));
  if (before === undefined || after === undefined) throw new Error(`${unit.source} has no object`);
  const isModule = unit.lands.kind === "module";
  const { selection, refusals, leftOut } = diffUnits(before, after, { isModule, needsHook: true });
  return JSON.stringify([selection.pieces.length, selection.funcs.map(({ name }) => name), refusals, leftOut]);
}
