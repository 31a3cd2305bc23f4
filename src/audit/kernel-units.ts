/** The units that a diff can reach, compiled as they were shipped, before and after. */
import { readFile } from "node:fs/promises";
import { type CompileOptions, compileInView } from "../build/compile.ts";
import type { Compiler } from "../build/compiler.ts";
import type { ChangedFile } from "../build/diff-input.ts";
import type { Kernel } from "../build/kernel.ts";
import { compileOriginal } from "../build/originals.ts";
import { changesOf, layOutView, viewDirectory } from "../build/tree.ts";
import type { ElfFile } from "../elf/model.ts";
import { readElf } from "../elf/read.ts";
import type { Cache } from "../lib/cache.ts";
import { SutureError } from "../lib/error.ts";
import { mapParallel } from "../lib/parallel.ts";
import type { Progress } from "../lib/progress.ts";
import { temporaryDirectory } from "../lib/temp.ts";
import { affectedBy } from "./reached-units.ts";

export interface PlainPair {
  readonly source: string;
  /** Objects that the unit is part of: `vmlinux`, or modules' names. */
  readonly objects: readonly string[];
  readonly original: ElfFile;
  readonly patched: ElfFile;
}

export interface PlainOptions {
  readonly cache: Cache;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
  readonly jobs: number;
}

/**
 * The patched text is compiled as it is, with the line numbers that it has.
 * Throws `DOES_NOT_COMPILE` for either side.
 */
export async function plainKernelPairs(
  kernel: Kernel,
  compiler: Compiler,
  files: readonly ChangedFile[],
  { cache, progress, signal, jobs }: PlainOptions,
): Promise<PlainPair[]> {
  const units = await affectedBy(kernel, files, { cache, progress, signal });
  progress.step(
    units.length === 1 ? `compile ${units[0]?.source} as shipped` : `compile ${units.length} files as shipped`,
  );
  await using views = await viewDirectory();
  await using objects = await temporaryDirectory();
  const view = layOutView(kernel.source, views.path, changesOf(files, true));
  let done = 0;
  return await mapParallel(
    units,
    jobs,
    async (unit, _, both) => {
      const options: CompileOptions = { kernel, compiler, variant: "plain", signal: both };
      const original = await compileOriginal(unit, cache, options);
      const patched = await compileInView(unit, view, objects.path, options);
      progress.tick(++done, units.length);
      const { lands } = unit;
      return {
        source: unit.source,
        objects: lands.kind === "module" ? lands.modules.map(moduleOf) : ["vmlinux"],
        original: await objectOf(original, unit.source),
        patched: await objectOf(patched, unit.source),
      };
    },
    signal,
  );
}

function moduleOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1).replaceAll("-", "_");
}

async function objectOf(result: Awaited<ReturnType<typeof compileOriginal>>, source: string): Promise<ElfFile> {
  if (result.kind === "compiled") return readElf(await readFile(result.object), source);
  throw new SutureError("DOES_NOT_COMPILE", `${source} does not compile:\n${result.output.trimEnd()}`, {
    where: source,
    hint: "give the diffs that the livepatch was built from",
  });
}
