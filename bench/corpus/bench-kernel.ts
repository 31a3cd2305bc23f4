/** The kernel that a corpus is built for, and what the benchmarks ask about it beside `suture build`. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Cache } from "../../src/lib/cache.ts";
import { mapParallel } from "../../src/lib/parallel.ts";
import { type Progress, progressTo, silentProgress } from "../../src/lib/progress.ts";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import type { Kernel } from "../../src/provider/kernel/kernel.ts";
import type { Unit } from "../../src/provider/kernel/unit.ts";
import { unitsOf } from "../../src/provider/kernel/units-file.ts";
import { type Compiler, findCompiler } from "../../src/provider/toolchain/compiler.ts";
import type { ChangedFile } from "../../src/source/diffs/diff-input.ts";
import { changesOf, layOutView, viewDirectory } from "../../src/source/tree.ts";
import type { CompileOptions } from "../../src/subject/kernel/compile.ts";
import { openKernel } from "../../src/subject/kernel/open-kernel.ts";
import { compileOriginal } from "../../src/subject/kernel/originals.ts";
import { type IncludeGraph, openIncludeGraph } from "../../src/subject/kernel/units/include-graph.ts";
import { reachOf } from "../../src/subject/kernel/units/preprocess.ts";
import type { CompanionKernel } from "./companions.ts";
import { SourcePair } from "./source-pair.ts";
import { openStockSource, type StockSource } from "./stock-source.ts";

/** Above this many units that may include a header, they are not preprocessed to see which of them do. */
const MOST_PREPROCESSED = 600;

export class BenchKernel implements CompanionKernel {
  readonly kernel: Kernel;
  readonly compiler: Compiler;
  readonly cache: Cache;
  readonly pair: SourcePair;
  #graph: IncludeGraph | undefined;

  private constructor(kernel: Kernel, compiler: Compiler, cache: Cache, pair: SourcePair) {
    this.kernel = kernel;
    this.compiler = compiler;
    this.cache = cache;
    this.pair = pair;
  }

  /** Makes everything ready that a run needs. */
  static async open(release: string, newer: StockSource): Promise<BenchKernel> {
    const cache = new Cache();
    const progress: Progress = progressTo(process.stderr);
    const kernel = await openKernel({ kind: "release", release }, { cache, progress });
    const compiler = await findCompiler(kernel, cache);
    const tree = await openStockSource(newer, kernel.leftOut, cache, progress);
    return new BenchKernel(kernel, compiler, cache, new SourcePair(kernel.source, tree));
  }

  get release(): string {
    return this.kernel.release;
  }

  /** Where runs keep diffs, livepatches and logs. */
  workDirectory(name: string): string {
    return join(this.cache.kind("bench"), name);
  }

  compileOptions(): CompileOptions {
    return { kernel: this.kernel, compiler: this.compiler, variant: "sections", types: true };
  }

  async unitsOf(source: string): Promise<Unit[]> {
    return await unitsOf(this.kernel, source);
  }

  async dependencies(source: string): Promise<readonly string[]> {
    const read: string[] = [];
    for (const unit of await this.unitsOf(source)) {
      const compiled = await compileOriginal(unit, this.cache, this.compileOptions());
      if (compiled.kind === "compiled") read.push(...compiled.dependencies);
    }
    return read;
  }

  async unitsReached(paths: readonly string[], most: number): Promise<number> {
    this.#graph ??= await openIncludeGraph(this.kernel, this.cache, { progress: silentProgress });
    const isRunning = ({ lands }: Unit): boolean => lands.kind !== "elsewhere";
    const unitsIn = async (sources: readonly string[]): Promise<Unit[]> =>
      (await Promise.all(sources.map((source) => this.unitsOf(source)))).flat().filter(isRunning);
    const own = await unitsIn(paths);
    const includers = [...this.#graph.readersOf(paths)].filter((path) => path.endsWith(".c") && !paths.includes(path));
    const including = await unitsIn(includers);
    if (including.length > MOST_PREPROCESSED) return own.length + including.length;
    return own.length + (await this.#countReached(including, paths, most - own.length));
  }

  /** Stops counting above `most`. */
  async #countReached(units: readonly Unit[], paths: readonly string[], most: number): Promise<number> {
    await using views = await viewDirectory();
    await using into = await temporaryDirectory();
    const files = paths.map((path): ChangedFile => {
      const { original, patched } = this.pair.texts(path);
      return { path, kind: path.endsWith(".h") ? "header" : "source", original, patched };
    });
    const view = layOutView(this.kernel.source, views.path, changesOf(files));
    const options = { kernel: this.kernel, compiler: this.compiler, cache: this.cache, into: into.path };
    let reached = 0;
    await mapParallel(units, availableParallelism(), async (unit) => {
      if (reached <= most && (await reachOf(unit, view, options)).kind === "reached") reached++;
    });
    return reached;
  }
}
