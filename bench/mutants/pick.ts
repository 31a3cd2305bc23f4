/** Where mutants are made: files at random, several mutants of each. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import type { Cache } from "../../src/lib/cache.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import type { Kernel } from "../../src/provider/kernel/kernel.ts";
import type { Unit } from "../../src/provider/kernel/unit.ts";
import { allUnits, unitsOf } from "../../src/provider/kernel/units-file.ts";
import { type IncludeGraph, openIncludeGraph } from "../../src/subject/kernel/units/include-graph.ts";
import type { Place } from "./mutant.ts";
import { MUTATIONS } from "./mutations.ts";
import { Random } from "./random.ts";
import { type Scan, scan } from "./scan.ts";

/** Of one file: its original is compiled once. */
const OF_A_FILE = 6;
const TRIES = 40;
/** Scanned in a blink. */
const LONGEST = 400_000;
/** One file in so many is a header. */
const HEADERS = 8;
/** Units that one mutant is compiled in, at most. */
const MOST_READERS = 6;

/**
 * Endless, and the same for one seed. Half of the files are of vmlinux, half of
 * modules, though there are more of these; and a few are headers beside them.
 */
export async function* places(kernel: Kernel, seed: number, cache: Cache): AsyncGenerator<Place> {
  const random = new Random(seed);
  const units = (await allUnits(kernel)).filter(
    ({ lands, source }) =>
      lands.kind !== "elsewhere" && source.endsWith(".c") && existsSync(join(kernel.source, source)),
  );
  const of = (kind: Unit["lands"]["kind"]): string[] =>
    [...new Set(units.filter(({ lands }) => lands.kind === kind).map(({ source }) => source))].sort();
  const [builtIn, modular] = [of("vmlinux"), of("module")];
  const others = byObject(units);
  const graph = await openIncludeGraph(kernel, cache, { progress: silentProgress });
  const read = (path: string): Scan | undefined => {
    const text = readFileSync(join(kernel.source, path), "latin1");
    return text.length > LONGEST ? undefined : scan(text);
  };
  for (let id = 0; ; ) {
    const source = random.of(random.integer(2) === 0 ? builtIn : modular) as string;
    const isHeader = random.integer(HEADERS) === 0;
    const file = isHeader ? headerBeside(kernel, graph, source, random) : source;
    const scanned = file === undefined ? undefined : read(file);
    if (file === undefined || scanned === undefined) continue;
    const [unit] = await unitsOf(kernel, source);
    const besides = (others.get(objectOf(unit)) ?? []).filter(
      (each) => each !== file && dirname(each) === dirname(file),
    );
    const otherFile = random.of(besides);
    const other = otherFile === undefined ? undefined : read(otherFile);
    for (let made = 0, tries = 0; made < OF_A_FILE && tries < TRIES; tries++) {
      const mutation = random.of(MUTATIONS);
      const mutated = mutation?.apply(scanned, random, other);
      if (mutation === undefined || mutated === undefined || mutated.text === scanned.text) continue;
      yield {
        id: `${seed}_${id++}`,
        file,
        other: mutated.other === undefined ? undefined : otherFile,
        mutation,
        mutated,
      };
      made++;
    }
  }
}

/** What a unit is linked to: vmlinux, or modules by their paths. */
function objectOf(unit: Unit | undefined): string {
  return unit?.lands.kind === "module" ? unit.lands.modules.join(" ") : "vmlinux";
}

function byObject(units: readonly Unit[]): Map<string, string[]> {
  const sources = new Map<string, string[]>();
  for (const unit of units) {
    const object = objectOf(unit);
    const known = sources.get(object);
    if (known === undefined) sources.set(object, [unit.source]);
    else known.push(unit.source);
  }
  return sources;
}

/** One of the headers that a file reads, and few others. */
function headerBeside(kernel: Kernel, graph: IncludeGraph, source: string, random: Random): string | undefined {
  const text = readFileSync(join(kernel.source, source), "latin1");
  const quoted = [...text.matchAll(/^#[ \t]*include[ \t]*"([^"\n]+\.h)"/gm)].map(([, name]) =>
    normalize(join(dirname(source), name as string)),
  );
  const angled = [...text.matchAll(/^#[ \t]*include[ \t]*<([^>\n]+\.h)>/gm)].map(([, name]) => `include/${name}`);
  const few = [...quoted, ...angled].filter((path) => {
    if (!existsSync(join(kernel.source, path))) return false;
    return [...graph.readersOf([path])].filter((each) => /\.[cS]$/.test(each)).length <= MOST_READERS;
  });
  return random.of(few);
}
