/** Whether a changed header changes a unit at all: what the preprocessor makes of it, before and after. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, normalize } from "node:path";
import type { Cache } from "../../../lib/cache.ts";
import { run } from "../../../lib/run.ts";
import type { Kernel } from "../../../provider/kernel/kernel.ts";
import type { Unit } from "../../../provider/kernel/unit.ts";
import type { Compiler } from "../../../provider/toolchain/compiler.ts";
import { parseDependencies } from "../../../source/dependencies.ts";
import { type Alignment, alignChunks } from "../../../source/reach/align.ts";
import { type Chunks, cutChunks, DIGEST } from "../../../source/reach/chunks.ts";
import { type Declaration, declarationOf } from "../../../source/reach/declaration.ts";
import { leavesOutUnused } from "../../../source/reach/emission.ts";
import { reachesCode } from "../../../source/reach/reach.ts";
import type { UnitReach } from "../../../source/reach/unit-reach.ts";
import { readingInView, type TreeView } from "../../../source/tree.ts";

/** To be raised when the same text gives other digests. */
const FORMAT = "2";
/** To be raised when a chunk is said to declare something else, or other differences reach code. */
const RULE = "2";

/** With what a unit is preprocessed; results are kept in the cache. */
export interface PreprocessOptions {
  readonly kernel: Kernel;
  readonly compiler: Compiler;
  readonly cache: Cache;
  /** For lists of dependencies. */
  readonly into: string;
  readonly signal?: AbortSignal | undefined;
}

interface Preprocessed {
  /** Of the tokens. */
  readonly digest: string;
  readonly dependencies: readonly string[];
  /** Of the chunks; undefined where the text could not be cut. */
  readonly digests: Buffer | undefined;
  /** Not of what comes from the cache. */
  readonly chunks: Chunks | undefined;
}

/** How the changes of a view reach a unit's code; the cache keeps it, unless the kernel's source may change. */
export async function reachOf(unit: Unit, view: TreeView, options: PreprocessOptions): Promise<UnitReach> {
  const { kernel, compiler, cache } = options;
  if (kernel.sourceMayChange) return await reachNow(unit, view, options);
  const of = [kernel.identity, compiler.text, unit.object, String(unit.args.length), ...unit.args];
  const entry = cache.entry("preprocessed", ["reach", RULE, FORMAT, ...of, view.digest]);
  const kept = await entry.read();
  if (kept !== undefined) return JSON.parse(kept.toString()) as UnitReach;
  const reach = await reachNow(unit, view, options);
  // What is reached is compiled anyway, and it may be so because the preprocessor was ended.
  if (reach.kind !== "reached") await entry.write(JSON.stringify(reach));
  return reach;
}

async function reachNow(unit: Unit, view: TreeView, options: PreprocessOptions): Promise<UnitReach> {
  const original = await preprocessOriginal(unit, options);
  // Assembly is asked for wherever it is; what this configuration cannot read is another machine's.
  if (original === undefined) return { kind: isAssembly(unit) ? "same" : "reached", reads: [] };
  const read = new Set(original.dependencies.map((path) => normalize(path)));
  const reads = view.changes.map(({ path }) => path).filter((path) => read.has(path));
  // A file that was not there can come before one that was, or answer __has_include.
  const isNew = (path: string): boolean => !existsSync(join(options.kernel.source, path));
  if (reads.length === 0 && !view.changes.some(({ path, text }) => text !== undefined && isNew(path)))
    return { kind: "same", reads };
  const patched = await readingInView(view, unit, async () => {
    const result = await preprocess(unit, view.directory, options);
    return { result, dependencies: result?.dependencies };
  });
  if (patched === undefined) return { kind: "reached", reads };
  if (patched.digest === original.digest) return { kind: "same", reads };
  return { kind: (await isInert(unit, original, patched, options)) ? "inert" : "reached", reads };
}

function isAssembly({ source }: Unit): boolean {
  return source.endsWith(".S");
}

async function isInert(
  unit: Unit,
  original: Preprocessed,
  patched: Preprocessed,
  options: PreprocessOptions,
): Promise<boolean> {
  const { digests } = original;
  if (digests === undefined || patched.chunks === undefined || !leavesOutUnused(unit.args)) return false;
  const alignment = alignChunks(digests, patched.chunks.digests);
  if (alignment === undefined) return false;
  const removed = await removedDeclarations(unit, { ...original, digests }, alignment, options);
  return removed !== undefined && !reachesCode(patched.chunks, alignment, removed);
}

/**
 * What the chunks that only the original has declare. The cache keeps it by a
 * chunk's digest: where it has all of them, as after the first of many units
 * that include the same header, the original is not needed again.
 */
async function removedDeclarations(
  unit: Unit,
  original: Preprocessed & { readonly digests: Buffer },
  { removed }: Alignment,
  options: PreprocessOptions,
): Promise<(Declaration | undefined)[] | undefined> {
  const entries = removed.map(({ index }) => {
    const digest = original.digests.subarray(index * DIGEST, (index + 1) * DIGEST);
    return options.cache.entry("preprocessed", ["declaration", RULE, FORMAT, digest]);
  });
  const kept = await Promise.all(entries.map((entry) => entry.read()));
  if (kept.every((text) => text !== undefined))
    return kept.map((text) => (JSON.parse(text.toString()) as readonly Declaration[])[0]);
  const chunks = original.chunks ?? (await preprocess(unit, options.kernel.source, options))?.chunks;
  if (chunks === undefined) return undefined;
  const made = removed.map(({ index }) => declarationOf(chunks.text(index)));
  await Promise.all(entries.map((entry, i) => entry.write(JSON.stringify(made[i] === undefined ? [] : [made[i]]))));
  return made;
}

/** undefined where the preprocessor fails. */
async function preprocessOriginal(unit: Unit, options: PreprocessOptions): Promise<Preprocessed | undefined> {
  const { kernel, compiler, cache } = options;
  if (kernel.sourceMayChange) return await preprocess(unit, kernel.source, options);
  const entry = cache.entry("preprocessed", [FORMAT, kernel.identity, compiler.text, unit.object, ...unit.args]);
  const kept = await entry.read();
  if (kept !== undefined) return fromKept(kept);
  const made = await preprocess(unit, kernel.source, options);
  if (made !== undefined) await entry.write(toKeep(made));
  return made;
}

interface Head {
  readonly digest: string;
  readonly dependencies: readonly string[];
  readonly isCut: boolean;
}

/** A line of JSON, and the chunks' digests. */
function toKeep({ digest, dependencies, digests }: Preprocessed): Buffer {
  const head: Head = { digest, dependencies, isCut: digests !== undefined };
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), digests ?? Buffer.alloc(0)]);
}

function fromKept(kept: Buffer): Preprocessed {
  const end = kept.indexOf("\n");
  const { digest, dependencies, isCut } = JSON.parse(kept.toString("utf8", 0, end)) as Head;
  return { digest, dependencies, digests: isCut ? kept.subarray(end + 1) : undefined, chunks: undefined };
}

async function preprocess(
  unit: Unit,
  directory: string,
  { compiler, into, signal }: PreprocessOptions,
): Promise<Preprocessed | undefined> {
  const list = join(into, `${unit.object.replaceAll("/", "+")}.i.d`);
  // -P leaves out line markers; __LINE__ has its value already.
  const args = [...unit.args, "-E", "-P", `-Wp,-MMD,${list}`, unit.spelled ?? unit.source];
  const { exitCode, bytes } = await run(compiler.path, args, { cwd: directory, signal });
  if (exitCode !== 0) return undefined;
  const chunks = unit.source.endsWith(".c") ? cutChunks(bytes) : undefined;
  const digests = chunks?.digests;
  const text = digests ?? bytes.toString("latin1").replace(/\s*\n\s*/g, "\n");
  const digest = createHash("sha256").update(text).digest("hex");
  return { digest, dependencies: parseDependencies(await readFile(list, "utf8")), digests, chunks };
}
