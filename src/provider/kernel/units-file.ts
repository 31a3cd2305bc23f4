/** The units of a kernel on disk: one file for each source directory, so that a lookup reads little, and a list of all. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import type { Kernel } from "./kernel.ts";
import type { Unit } from "./unit.ts";

const FILE = "units.json";
const LIST = "sources.json";

/** Writes into a directory that has nothing of the kind yet. */
export async function writeUnits(directory: string, units: readonly Unit[]): Promise<void> {
  const byDirectory = new Map<string, Unit[]>();
  for (const unit of units) {
    const here = dirname(normalize(unit.source));
    const known = byDirectory.get(here);
    if (known === undefined) byDirectory.set(here, [unit]);
    else known.push(unit);
  }
  for (const [here, list] of byDirectory) {
    await mkdir(join(directory, here), { recursive: true });
    await writeFile(join(directory, here, FILE), JSON.stringify(list));
  }
  await writeFile(join(directory, LIST), JSON.stringify(units.map(({ source }) => source)));
}

/** The units that a source file is compiled to: none if this configuration does not build it. */
export async function unitsOf(kernel: Kernel, source: string): Promise<Unit[]> {
  return (await unitsIn(kernel, dirname(source))).filter((unit) => unit.source === source);
}

/** The units whose source lies in a directory, not below it. */
export async function unitsIn(kernel: Kernel, directory: string): Promise<Unit[]> {
  return ((await readJson<Unit[]>(join(kernel.units, directory, FILE))) ?? []).map(byItsPath);
}

/** Every unit of the kernel, by source directory. */
export async function allUnits(kernel: Kernel): Promise<Unit[]> {
  const sources = (await readJson<string[]>(join(kernel.units, LIST))) ?? [];
  const directories = [...new Set(sources.map((source) => dirname(normalize(source))))];
  return (await Promise.all(directories.map((here) => unitsIn(kernel, here)))).flat();
}

/** A file has one name here, whichever way its makefile goes to it. */
function byItsPath(unit: Unit): Unit {
  const source = normalize(unit.source);
  return source === unit.source ? unit : { ...unit, source, spelled: unit.source };
}

async function readJson<Value>(path: string): Promise<Value | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Value;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
