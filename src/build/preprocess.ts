/** Whether a changed header changes a unit at all: what the preprocessor makes of it, before and after. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join, normalize } from "node:path";
import type { Cache } from "../lib/cache.ts";
import { run } from "../lib/run.ts";
import type { Compiler } from "./compiler.ts";
import { parseDependencies } from "./dependencies.ts";
import type { Kernel } from "./kernel.ts";
import { readingInView, type TreeView } from "./tree.ts";
import type { Unit } from "./unit.ts";

/** To be raised when the same text gives another digest. */
const FORMAT = "1";

export interface PreprocessOptions {
  readonly kernel: Kernel;
  readonly compiler: Compiler;
  readonly signal?: AbortSignal | undefined;
}

interface Preprocessed {
  /** Of the tokens; undefined where the preprocessor fails. */
  readonly digest: string | undefined;
  readonly dependencies: readonly string[];
}

/**
 * Whether the compiler gets the same tokens for a unit with and without the
 * changes of a view: then they cannot change its code. `into` is for lists of
 * dependencies.
 */
export async function isSameToCompiler(
  unit: Unit,
  view: TreeView,
  into: string,
  cache: Cache,
  options: PreprocessOptions,
): Promise<boolean> {
  const original = await preprocessOriginal(unit, into, cache, options);
  const changed = new Set(view.changes.map(({ path }) => path));
  if (original.digest !== undefined && !original.dependencies.some((path) => changed.has(normalize(path)))) return true;
  const patched = await readingInView(view, unit, async () => {
    const result = await preprocess(unit, view.directory, into, options);
    return { result, dependencies: result.digest === undefined ? undefined : result.dependencies };
  });
  return patched.digest !== undefined && patched.digest === original.digest;
}

async function preprocessOriginal(
  unit: Unit,
  into: string,
  cache: Cache,
  options: PreprocessOptions,
): Promise<Preprocessed> {
  const { kernel, compiler } = options;
  if (kernel.sourceMayChange) return await preprocess(unit, kernel.source, into, options);
  const entry = cache.entry("preprocessed", [FORMAT, kernel.identity, compiler.text, unit.object, ...unit.args]);
  const kept = await entry.read();
  if (kept !== undefined) return JSON.parse(kept.toString()) as Preprocessed;
  const made = await preprocess(unit, kernel.source, into, options);
  if (made.digest !== undefined) await entry.write(JSON.stringify(made));
  return made;
}

async function preprocess(
  unit: Unit,
  directory: string,
  into: string,
  options: PreprocessOptions,
): Promise<Preprocessed> {
  const list = join(into, `${unit.object.replaceAll("/", "+")}.i.d`);
  // -P leaves out line markers; __LINE__ has its value already.
  const args = [...unit.args, "-E", "-P", `-Wp,-MMD,${list}`, unit.source];
  const { exitCode, bytes } = await run(options.compiler.path, args, { cwd: directory, signal: options.signal });
  if (exitCode !== 0) return { digest: undefined, dependencies: [] };
  const digest = createHash("sha256")
    .update(bytes.toString("latin1").replace(/\s*\n\s*/g, "\n"))
    .digest("hex");
  return { digest, dependencies: parseDependencies(await readFile(list, "utf8")) };
}
