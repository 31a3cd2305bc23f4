/**
 * Loads, replaces and unloads of livepatches in a row in a real Debian system that works
 * meanwhile: what grows with them, and what the kernel has to say.
 *
 *   node bench/kernel-loads.ts [--rounds N]
 */
import { parseArgs } from "node:util";
import { temporaryDirectory } from "../src/lib/temp.ts";
import { grown, loadsInARow, type Sample } from "../test/machine/loads-in-a-row.ts";
import { withPackage } from "../test/machine/with-package.ts";
import { writeResults } from "./process/write-results.ts";

/** What the run leaves in bench/results. */
export interface KernelLoads {
  readonly release: string;
  /** A load, a replace and an unload each. */
  readonly rounds: number;
  readonly wrong: readonly string[];
  /** What the kernel has printed beside the notices of patching. */
  readonly findings: readonly string[];
  /** What grew with each round. */
  readonly grown: readonly string[];
  /** Rounds of work that was done meanwhile. */
  readonly work: Readonly<Record<string, number>>;
  readonly medianMilliseconds: Readonly<Record<string, number>>;
  readonly samples: readonly ShortSample[];
}

/** Kilobytes, and how many there are. */
export interface ShortSample {
  readonly round: number;
  readonly slabKB: number;
  readonly vmallocKB: number;
  readonly freeKB: number;
  readonly modules: number;
  readonly hooked: number;
  readonly files: number;
  readonly own: number;
}

const { values } = parseArgs({ options: { rounds: { type: "string", default: "100" } } });
await using directory = await temporaryDirectory();
const { debian, machine } = await withPackage(directory.path);
await using _ = machine;
const seen = await loadsInARow(machine, directory.path, Number(values.rounds));
writeResults("kernel-loads", {
  release: debian.release,
  rounds: seen.rounds,
  wrong: seen.wrong,
  findings: seen.findings.map(({ kind, line }) => `${kind}: ${line}`),
  grown: grown(seen),
  work: seen.work,
  medianMilliseconds: Object.fromEntries(Object.entries(seen.milliseconds).map(([verb, all]) => [verb, median(all)])),
  samples: seen.samples.map(short),
} satisfies KernelLoads);

function median(all: readonly number[]): number {
  return all.toSorted((a, b) => a - b)[all.length >> 1] ?? 0;
}

function short({ round, memory, vmalloc, modules, hooked, files, own }: Sample): ShortSample {
  const [slabKB = 0, freeKB = 0] = ["Slab", "MemFree"].map((name) => memory[name]);
  return { round, slabKB, vmallocKB: vmalloc.kB, freeKB, modules, hooked, files, own };
}
