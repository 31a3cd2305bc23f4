/** The units that a diff can reach, compiled as they were shipped, before and after. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { HeaderForm } from "../arch/kernel-sources.ts";
import type { ElfFile } from "../elf/model.ts";
import { readElf } from "../elf/read.ts";
import type { Cache } from "../lib/cache.ts";
import { SutureError } from "../lib/error.ts";
import { mapParallel } from "../lib/parallel.ts";
import type { Progress } from "../lib/progress.ts";
import { temporaryDirectory } from "../lib/temp.ts";
import type { Kernel } from "../provider/kernel/kernel.ts";
import type { Unit } from "../provider/kernel/unit.ts";
import { unitsOf } from "../provider/kernel/units-file.ts";
import type { Compiler } from "../provider/toolchain/compiler.ts";
import type { ChangedFile, DiffInput } from "../source/diffs/diff-input.ts";
import { changesOf, type FileChange, layOutView, viewDirectory } from "../source/tree.ts";
import { type CompileOptions, compileInView } from "../subject/kernel/compile.ts";
import { compileOriginal } from "../subject/kernel/originals.ts";
import { newUnits } from "../subject/kernel/units/new-units.ts";
import { affectedBy } from "./reached-units.ts";

/**
 * One unit's original and patched objects, compiled as it was shipped: without the
 * section of its own that a build gives each function.
 */
export interface PlainPair {
  readonly source: string;
  /** Objects that the unit is part of: `vmlinux`, or modules' names. */
  readonly objects: readonly string[];
  readonly original: ElfFile;
  readonly patched: ElfFile;
}

/** What compiling for an audit needs of its surroundings. `jobs` is how many compilers run at once. */
export interface PlainOptions {
  readonly cache: Cache;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
  readonly jobs: number;
}

/** A kernel, and the compiler that it was built with. */
export interface KernelBuild {
  readonly kernel: Kernel;
  readonly compiler: Compiler;
}

/**
 * A file that is new with its line of a Makefile was an empty one. The patched text
 * is compiled as it is, with the line numbers that it has.
 * Throws `DOES_NOT_COMPILE` for either side.
 */
export async function plainKernelPairs(
  build: KernelBuild,
  { files, makefiles }: Pick<DiffInput, "files" | "makefiles">,
  options: PlainOptions,
): Promise<PlainPair[]> {
  const { kernel } = build;
  const added = [...(await newUnits(kernel, makefiles)).values()];
  const fresh = added.flatMap((each) => (each.kind === "unit" ? each.unit : []));
  const units = [...(await affectedBy(kernel, files, options)), ...fresh];
  const empty = fresh.map(({ source }) => ({ path: source, text: "" }));
  return await compiledPairs(build, units, { before: empty, after: changesOf(files, true) }, options);
}

/** Units with a header in another form, before and after. */
export async function pairsInForm(
  build: KernelBuild,
  files: readonly ChangedFile[],
  { form, sources }: { readonly form: HeaderForm | undefined; readonly sources: readonly string[] },
  options: PlainOptions,
): Promise<PlainPair[]> {
  const { kernel } = build;
  const units = (await Promise.all(sources.map((source) => unitsOf(kernel, source)))).flat();
  const running = units.filter(({ lands }) => lands.kind !== "elsewhere");
  if (form === undefined || running.length === 0) return [];
  const path = join(kernel.kernelTree, form.header);
  const text = form.rewritten(await readFile(join(kernel.source, path), "latin1"));
  const header = { path, text: Buffer.from(text, "latin1") };
  const changes = { before: [header], after: [header, ...changesOf(files, true)] };
  return await compiledPairs(build, running, changes, options);
}

async function compiledPairs(
  { kernel, compiler }: KernelBuild,
  units: readonly Unit[],
  changes: Readonly<Record<"before" | "after", readonly FileChange[]>>,
  { cache, progress, signal, jobs }: PlainOptions,
): Promise<PlainPair[]> {
  progress.step(
    units.length === 1 ? `compile ${units[0]?.source} as shipped` : `compile ${units.length} files as shipped`,
  );
  await using befores = await viewDirectory();
  await using afters = await viewDirectory();
  await using originals = await temporaryDirectory();
  await using objects = await temporaryDirectory();
  const before = layOutView(kernel.source, befores.path, changes.before);
  const after = layOutView(kernel.source, afters.path, changes.after);
  // Where nothing is another one before the diffs, the originals are those that shipped.
  const isShipped = ({ source }: Unit): boolean =>
    changes.before.every(({ path, text }) => text === "" && path !== source);
  let done = 0;
  return await mapParallel(
    units,
    jobs,
    async (unit, _, both) => {
      const options: CompileOptions = { kernel, compiler, variant: "plain", signal: both };
      const original = isShipped(unit)
        ? await compileOriginal(unit, cache, options)
        : await compileInView(unit, before, originals.path, options);
      const patched = await compileInView(unit, after, objects.path, options);
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

async function objectOf(result: Awaited<ReturnType<typeof compileInView>>, source: string): Promise<ElfFile> {
  if (result.kind === "compiled") return readElf(await readFile(result.object), source);
  throw new SutureError("DOES_NOT_COMPILE", `${source} does not compile:\n${result.output.trimEnd()}`, {
    where: source,
    hint: "give the diffs that the livepatch was built from",
  });
}
