/** The match over every file of a run, whatever became of its diff: no function is passed over. */
import { readFile } from "node:fs/promises";
import { readUnit } from "../../src/diff/read-unit.ts";
import { STT } from "../../src/elf/constants.ts";
import { readElf } from "../../src/elf/read.ts";
import type { Unit } from "../../src/provider/kernel/unit.ts";
import { proveUnit } from "../../src/subject/kernel/match/prove.ts";
import { ShippedObjects } from "../../src/subject/kernel/match/shipped-objects.ts";
import { compileOriginal } from "../../src/subject/kernel/originals.ts";
import type { BenchKernel } from "./bench-kernel.ts";
import type { MatchCounts } from "./row.ts";
import type { Rows } from "./table.ts";

export async function matchAll(kernel: BenchKernel, rows: Rows, say: (text: string) => void): Promise<void> {
  using shipped = await ShippedObjects.open(kernel.kernel, undefined);
  for (const { file, match } of rows.all()) {
    if (match !== undefined) continue;
    const counts = await countsOf(kernel, file, shipped);
    rows.update(file, { match: counts });
    const bad = [...counts.differing, ...counts.unaccounted];
    if (bad.length > 0) say(`${file}: not proved: ${bad.join(", ")}`);
  }
}

async function countsOf(kernel: BenchKernel, file: string, shipped: ShippedObjects): Promise<MatchCounts> {
  const counts = {
    functions: 0,
    proved: 0,
    absent: [] as string[],
    differing: [] as string[],
    unaccounted: [] as string[],
  };
  for (const unit of await kernel.unitsOf(file)) {
    if (unit.lands.kind === "elsewhere") continue;
    const objects = unit.lands.kind === "vmlinux" ? ["vmlinux"] : unit.lands.modules;
    const sizes = shipped.layouts.entrySizes;
    const elf = await objectOf(kernel, unit, "sections");
    const original = readUnit(elf, sizes);
    for (const object of objects) {
      const { image } = await shipped.object(object);
      const plain = async () => readUnit(await objectOf(kernel, unit, "plain"), sizes);
      const { record, match } = await proveUnit(unit.source, original, image, plain);
      const said = new Set(
        [...match.proved, ...match.mismatches.keys()].flatMap(({ symbols }) => symbols.map(({ name }) => name)),
      );
      const functions = elf.symbols.filter(({ type, place }) => type === STT.FUNC && place.kind === "section");
      counts.functions += functions.length;
      counts.proved += record.proved;
      counts.absent.push(...record.absent);
      counts.differing.push(...record.differing.map(({ name, reason }) => `${name} (${reason})`));
      counts.unaccounted.push(...functions.filter(({ name }) => !said.has(name)).map(({ name }) => name));
    }
  }
  return counts;
}

async function objectOf(kernel: BenchKernel, unit: Unit, variant: "plain" | "sections") {
  const options = { ...kernel.compileOptions(), variant, types: variant === "sections" };
  const compiled = await compileOriginal(unit, kernel.cache, options);
  if (compiled.kind === "does-not-compile")
    throw new Error(`${unit.source} does not compile as it was shipped: ${compiled.output}`);
  return readElf(await readFile(compiled.object), unit.source);
}
