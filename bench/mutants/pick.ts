/** Where mutants are made: files at random, several mutants of each. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Kernel } from "../../src/build/kernel.ts";
import { allUnits } from "../../src/build/units-file.ts";
import type { Place } from "./mutant.ts";
import { MUTATIONS } from "./mutations.ts";
import { Random } from "./random.ts";
import { scan } from "./scan.ts";

/** Of one file: its original is compiled once. */
const OF_A_FILE = 4;
const TRIES = 40;
/** Scanned in a blink. */
const LONGEST = 400_000;

/** Endless, and the same for one seed. */
export async function* places(kernel: Kernel, seed: number): AsyncGenerator<Place> {
  const random = new Random(seed);
  const units = (await allUnits(kernel)).filter(
    ({ lands, source }) => lands.kind !== "elsewhere" && source.endsWith(".c"),
  );
  const sources = [...new Set(units.map(({ source }) => source))].sort();
  for (let id = 0; ; ) {
    const file = random.of(sources) as string;
    const text = readFileSync(join(kernel.source, file), "latin1");
    if (text.length > LONGEST) continue;
    const scanned = scan(text);
    for (let made = 0, tries = 0; made < OF_A_FILE && tries < TRIES; tries++) {
      const mutation = random.of(MUTATIONS);
      const mutated = mutation?.apply(scanned, random);
      if (mutation === undefined || mutated === undefined || mutated.text === text) continue;
      yield { id: `${seed}_${id++}`, file, mutation, mutated };
      made++;
    }
  }
}
