/** Objects of a program's own source, kept in the cache as long as nothing that they are made from changes. */
import { readFile, rename, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import { argumentsFor, compileTo, type ProgramCompileOptions, type ProgramCompileResult } from "./compile.ts";
import type { ProgramUnit } from "./program.ts";

/** To be raised when the same inputs give another object. */
const FORMAT = "1";

const OBJECT = "object.o";
const LIST = "dependencies.json";

/** Path, time of change and size. */
type Dependency = readonly [path: string, state: string];

/** The unit as it is in its own tree, compiled on first use. */
export async function compileProgramOriginal(
  unit: ProgramUnit,
  cache: Cache,
  options: ProgramCompileOptions,
): Promise<ProgramCompileResult> {
  const { command } = unit;
  const words = argumentsFor(command, options.variant, options.compiler).join("\n");
  const parts = [FORMAT, options.compiler.text, command.directory, command.source, words, JSON.stringify(command.env)];
  const entry = cache.entry("program-originals", parts);
  const kept = (await entry.damage()) === undefined ? await keptDependencies(entry.path) : undefined;
  if (kept !== undefined) return { kind: "compiled", object: join(entry.path, OBJECT), dependencies: kept };
  if (entry.exists()) await entry.remove();
  let result: ProgramCompileResult | undefined;
  try {
    await entry.makeDirectory(async (directory) => {
      result = await compileTo(join(directory, "made.o"), command, options);
      if (result.kind === "does-not-compile") throw new NotCompiled();
      const paths = [command.source, ...result.dependencies].map((path) => resolve(command.directory, path));
      await rename(result.object, join(directory, OBJECT));
      await writeFile(join(directory, LIST), JSON.stringify(await statesOf(paths)));
    }, "contents");
  } catch (error) {
    if (!(error instanceof NotCompiled) || result === undefined) throw error;
    return result;
  }
  const dependencies = result?.kind === "compiled" ? result.dependencies : [];
  return { kind: "compiled", object: join(entry.path, OBJECT), dependencies };
}

/** Leaves no entry behind for code that does not compile. */
class NotCompiled extends Error {}

async function keptDependencies(directory: string): Promise<string[] | undefined> {
  let kept: Dependency[];
  try {
    kept = JSON.parse(await readFile(join(directory, LIST), "utf8")) as Dependency[];
  } catch {
    return undefined;
  }
  const now = await statesOf(kept.map(([path]) => path));
  return kept.every(([, state], i) => state === now[i]?.[1]) ? kept.map(([path]) => path) : undefined;
}

async function statesOf(paths: readonly string[]): Promise<Dependency[]> {
  return await Promise.all(
    paths.map(async (path): Promise<Dependency> => {
      const found = await stat(path).catch(() => undefined);
      return [path, found === undefined ? "gone" : `${found.mtimeMs} ${found.size}`];
    }),
  );
}
