/** Objects of a kernel's own source, kept in the cache. */
import { readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import type { Kernel } from "../../provider/kernel/kernel.ts";
import type { Unit } from "../../provider/kernel/unit.ts";
import { argumentsFor, type CompileOptions, type CompileResult, compileIn } from "./compile.ts";

/** To be raised when the same inputs give another object. */
const FORMAT = "1";

interface Dependency {
  readonly path: string;
  /** Time of change and size; only of kernels whose source may change. */
  readonly state?: string;
}

/** The unit as it is in the kernel's own tree, compiled on first use. */
export async function compileOriginal(unit: Unit, cache: Cache, options: CompileOptions): Promise<CompileResult> {
  const { kernel, compiler } = options;
  const command = [...argumentsFor(unit, options), "|", ...(unit.objtool ?? ["-"])].join("\n");
  const entry = cache.entry("originals", [FORMAT, kernel.identity, compiler.text, unit.source, unit.object, command]);
  const kept = (await entry.damage()) === undefined ? await readKept(entry.path, kernel) : undefined;
  if (kept !== undefined) return { kind: "compiled", unit, object: join(entry.path, OBJECT), dependencies: kept };
  if (entry.exists()) await entry.remove();
  let failure: CompileResult | undefined;
  let dependencies: readonly string[] = [];
  try {
    await entry.makeDirectory(async (directory) => {
      const result = await compileIn(unit, kernel.source, directory, options);
      if (result.kind === "does-not-compile") {
        failure = result;
        throw new NotCompiled();
      }
      dependencies = result.dependencies;
      await rename(result.object, join(directory, OBJECT));
      await writeFile(join(directory, LIST), JSON.stringify(await statesOf(dependencies, kernel)));
    }, "contents");
  } catch (error) {
    if (error instanceof NotCompiled && failure !== undefined) return failure;
    throw error;
  }
  return { kind: "compiled", unit, object: join(entry.path, OBJECT), dependencies };
}

const OBJECT = "object.o";
const LIST = "dependencies.json";

/** Leaves no entry behind for code that does not compile. */
class NotCompiled extends Error {}

/** The dependencies of a kept object, if it is there and nothing has changed since. */
async function readKept(directory: string, kernel: Kernel): Promise<string[] | undefined> {
  let kept: Dependency[];
  try {
    kept = JSON.parse(await readFile(join(directory, LIST), "utf8")) as Dependency[];
  } catch {
    return undefined;
  }
  const paths = kept.map(({ path }) => path);
  if (!kernel.sourceMayChange) return paths;
  const now = await statesOf(paths, kernel);
  return kept.every(({ state }, i) => state === now[i]?.state) ? paths : undefined;
}

async function statesOf(paths: readonly string[], kernel: Kernel): Promise<Dependency[]> {
  if (!kernel.sourceMayChange) return paths.map((path) => ({ path }));
  return await Promise.all(
    paths.map(async (path) => {
      const found = await stat(join(kernel.source, path)).catch(() => undefined);
      return { path, state: found === undefined ? "gone" : `${found.mtimeMs} ${found.size}` };
    }),
  );
}
