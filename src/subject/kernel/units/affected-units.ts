/** Which translation units the changed files reach. */
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  type AskOptions,
  askUnits,
  assemblyRefusal,
  mayBeIncludedByChange,
  removedRefusal,
} from "../../../builder/reached-units.ts";
import type { Cache } from "../../../lib/cache.ts";
import { temporaryDirectory } from "../../../lib/temp.ts";
import type { Note } from "../../../patch/metadata.ts";
import { type Refusal, refusal } from "../../../patch/refusal.ts";
import type { Kernel } from "../../../provider/kernel/kernel.ts";
import type { Unit } from "../../../provider/kernel/unit.ts";
import { unitsOf } from "../../../provider/kernel/units-file.ts";
import type { Compiler } from "../../../provider/toolchain/compiler.ts";
import { isClang } from "../../../provider/toolchain/compiler-names.ts";
import { notBuilt } from "../../../source/diffs/diff-findings.ts";
import type { ChangedFile, ChangedMakefile } from "../../../source/diffs/diff-input.ts";
import type { UnitReach } from "../../../source/reach/unit-reach.ts";
import { assemblyUnits } from "./assembly-files.ts";
import { fileKind } from "./file-kinds.ts";
import { refusalFor } from "./file-rules.ts";
import type { IncludeGraph } from "./include-graph.ts";
import { mostConcerned } from "./most-concerned.ts";
import { newUnits } from "./new-units.ts";

/** Units to be compiled, each once, in the order of their objects. */
export interface AffectedUnits {
  readonly units: readonly Unit[];
  readonly refusals: readonly Refusal[];
  readonly notes: readonly Note[];
}

/** With what headers are looked at, and what the diffs' Makefiles say. */
export interface AffectedOptions extends AskOptions {
  readonly cache: Cache;
  readonly compiler: Compiler;
  readonly makefiles: readonly ChangedMakefile[];
  /** What one unit refuses for, whatever others are. */
  readonly refusalsOf: (unit: Unit) => Promise<readonly Refusal[]>;
}

/**
 * So many that to ask the compiler of all takes longer than to look at one of them closely, and minutes: they are
 * searched for the names of the change first. Where they are fewer the compiler's word is had in time.
 */
const VERY_MANY = 250;

/**
 * The units whose source changes, and those that read a changed file and whose
 * code it can reach. The include graph is asked for only where others may read
 * one: a header, a C file that is included, a file that comes or goes.
 */
export async function affectedUnits(
  kernel: Kernel,
  files: readonly ChangedFile[],
  options: AffectedOptions,
): Promise<AffectedUnits> {
  const units = new Map<string, Unit>();
  const refusals: Refusal[] = [];
  const notes: Note[] = [];
  const included: ChangedFile[] = [];
  const added = await newUnits(kernel, options.makefiles);
  for (const file of files) {
    const fresh = added.get(file.path);
    if (fresh?.kind === "unit") {
      units.set(fresh.unit.object, fresh.unit);
      continue;
    }
    if (fresh?.kind === "unknown") refusals.push(newFileRefusal(file.path, fresh.why));
    const own = file.kind === "source" ? await unitsOf(kernel, file.path) : [];
    const running = own.filter(isRunning);
    if (own.length === 0 && isHostProgram(kernel.source, file.path)) refusals.push(refusalFor(file.path, "generator"));
    else if (own.length === 0) included.push(file);
    else if (file.patched === undefined) refusals.push(removedRefusal(file.path, "kernel"));
    else if (running.length === 0) refusals.push(notRunning(file.path, kernel));
    else {
      for (const unit of running) units.set(unit.object, unit);
      for (const unit of own) if (!isRunning(unit)) beside(unit, file.path, kernel, { refusals, notes });
    }
  }
  const { units: readers, graph } = await readersOf(kernel, files, notes, options);
  for (const object of units.keys()) readers.delete(object);
  if (readers.size > VERY_MANY && refusals.length === 0) {
    const likely = mostConcerned([...readers.values()].filter(isCompiled), files, kernel.source);
    if (likely !== undefined) {
      options.progress.step(`compile ${likely.source}, one of ${readers.size} files that may be reached`);
      const early = await options.refusalsOf(likely);
      if (early.length > 0) return { units: [], refusals: early, notes };
    }
  }
  const assembly: string[] = [];
  for (const unit of await changedByIncludes(kernel, { readers, graph, files }, notes, options)) {
    if (isAssembly(unit)) assembly.push(unit.source);
    else if (isRunning(unit)) units.set(unit.object, unit);
    else beside(unit, undefined, kernel, { refusals, notes });
  }
  if (assembly.length > 0) refusals.push(assemblyRefusal(assembly));
  for (const file of included) {
    if (file.original === undefined && !mayBeIncludedByChange(file, files) && readers.size === 0)
      notes.push(notBuilt(file.path));
  }
  return { units: [...units.values()].sort((a, b) => (a.object < b.object ? -1 : 1)), refusals, notes };
}

/** Whether the Makefile beside a C file makes a program of it that runs while the kernel is built. */
function isHostProgram(tree: string, path: string): boolean {
  if (!path.endsWith(".c")) return false;
  const makefile = join(tree, dirname(path), "Makefile");
  const lists = existsSync(makefile) ? readFileSync(makefile, "latin1").matchAll(/^hostprogs\S*\s*[:+]?=(.*)$/gm) : [];
  return [...lists].some(([, names = ""]) => names.split(/\s+/).includes(basename(path, ".c")));
}

function isRunning({ lands }: Unit): boolean {
  return lands.kind !== "elsewhere";
}

function isCompiled(unit: Unit): boolean {
  return isRunning(unit) && !isAssembly(unit);
}

function isAssembly({ source }: Unit): boolean {
  return source.endsWith(".S");
}

/** The units that may read one of the files beside their own source, by object; assembly is among them. */
async function readersOf(
  kernel: Kernel,
  files: readonly ChangedFile[],
  notes: Note[],
  options: AffectedOptions,
): Promise<{ readonly units: Map<string, Unit>; readonly graph: IncludeGraph | undefined }> {
  const { openIncludeGraph, readSources } = await import("./include-graph.ts");
  const isAlone = async ({ path, kind, original }: ChangedFile): Promise<boolean> => {
    if (kind !== "source" || original === undefined) return false;
    if ((await unitsOf(kernel, path)).length === 0) return false;
    return !(await readSources(kernel, options.cache, options)).has(path);
  };
  const alone = await Promise.all(files.map(isAlone));
  if (alone.every(Boolean)) return { units: new Map(), graph: undefined };
  const graph = await openIncludeGraph(kernel, options.cache, options);
  const units = new Map<string, Unit>();
  for (const file of files) {
    const { path, kind, original } = file;
    const readers = graph.readersOf([path], original === undefined ? [path] : []);
    const sources = [...readers].filter((each) => each.endsWith(".c"));
    const lists = await Promise.all(sources.map((source) => unitsOf(kernel, source)));
    const assembly = [...readers].filter((each) => each.endsWith(".S"));
    const reached = [...lists.flat(), ...(await assemblyUnits(kernel, assembly))];
    for (const unit of reached) units.set(unit.object, unit);
    const isUnit = kind === "source" && (await unitsOf(kernel, path)).length > 0;
    const isRead = reached.length > 0 || isUnit || mayBeIncludedByChange(file, files);
    if (!isRead && original !== undefined && !isHostProgram(kernel.source, path)) notes.push(notBuilt(path));
  }
  return { units, graph };
}

interface MayBeReached {
  readonly readers: ReadonlyMap<string, Unit>;
  readonly graph: IncludeGraph | undefined;
  readonly files: readonly ChangedFile[];
}

/** The rest has the same code: the compiler is asked rather than the graph, which knows nothing of conditions. */
async function changedByIncludes(
  kernel: Kernel,
  { readers, graph, files }: MayBeReached,
  notes: Note[],
  options: AffectedOptions,
): Promise<Unit[]> {
  if (readers.size === 0 || graph === undefined) return [];
  // clang does not tell of what it was told to poison as GCC does.
  const isWorthIt = readers.size > VERY_MANY && !isClang(options.compiler);
  const unnamed = isWorthIt ? await unnamedUnits(kernel, { units: readers, graph }, files, options) : new Map();
  const units = [...readers.values()].filter(({ object }) => !unnamed.has(object));
  const { reachOf } = await import("./preprocess.ts");
  const { reachNotes } = await import("../../../source/reach/notes.ts");
  const { cache, compiler } = options;
  await using lists = await temporaryDirectory();
  const reaches = await askUnits(units, { tree: kernel.source, files }, options, (unit, view, signal) =>
    reachOf(unit, view, { kernel, compiler, cache, into: lists.path, signal }),
  );
  notes.push(...reachNotes([...reaches, ...unnamed.values()]));
  return units.filter((_, i) => reaches[i]?.kind === "reached");
}

/** Those that are not asked, and what they may have read. */
async function unnamedUnits(
  kernel: Kernel,
  readers: { readonly units: ReadonlyMap<string, Unit>; readonly graph: IncludeGraph },
  files: readonly ChangedFile[],
  options: AffectedOptions,
): Promise<Map<string, UnitReach>> {
  const { mentioningUnits } = await import("./mentioning-units.ts");
  const { asked: objects, names } = await mentioningUnits(kernel, readers, files, options);
  const asked = new Set(objects);
  const byPath = files.map(({ path }) => ({ path, sources: readers.graph.readersOf([path]) }));
  const rest = [...readers.units].filter(([object]) => !asked.has(object));
  return new Map(
    rest.map(([object, { source }]) => {
      const reads = byPath.filter(({ sources }) => sources.has(source)).map(({ path }) => path);
      return [object, { kind: names === 0 ? "same" : "unnamed", reads }];
    }),
  );
}

/** What is made of the same source and is no code of the running kernel. */
function beside(
  { source, object }: Unit,
  path: string | undefined,
  { arch }: Kernel,
  { refusals, notes }: { readonly refusals: Refusal[]; readonly notes: Note[] },
): void {
  if (fileKind(object, arch.kernel.sources) === "vdso") refusals.push(refusalFor(source, "vdso"));
  else
    notes.push({
      code: "NOT_KERNEL_CODE",
      text: `${object} is made of ${path ?? source} too, runs before the kernel or beside it, and stays as it is until the next boot`,
    });
}

function notRunning(path: string, { arch }: Kernel): Refusal {
  return refusalFor(path, fileKind(path, arch.kernel.sources) === "vdso" ? "vdso" : "boot");
}

function newFileRefusal(path: string, why: string): Refusal {
  return refusal(
    "MAKEFILE_CHANGED",
    `${path} is new and ${why}`,
    path,
    "put its code into a file that is built, or its object on the list of one",
  );
}
