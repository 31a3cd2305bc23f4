/** Objects of the source as it is without the diff, kept in the cache as long as nothing that they are made from changes. */
import { readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CacheEntry } from "../lib/cache-entry.ts";
import type { CompileResult } from "./compile-result.ts";

/** How the files that an object is made from are kept beside it. */
export interface KeptDependencies<Kept> {
  /** What is kept of them, as JSON. @param read as the compiler named them */
  of(read: readonly string[]): Promise<readonly Kept[]>;
  pathOf(kept: Kept): string;
  /** Whether they are still what they were. */
  areAsKept(kept: readonly Kept[]): Promise<boolean>;
}

const OBJECT = "object.o";
const LIST = "dependencies.json";

/**
 * The object of an entry, compiled on first use. Code that does not compile leaves no entry behind.
 * @param compile into a directory
 */
export async function keptOriginal<Kept>(
  entry: CacheEntry,
  dependencies: KeptDependencies<Kept>,
  compile: (directory: string) => Promise<CompileResult>,
): Promise<CompileResult> {
  const object = join(entry.path, OBJECT);
  const compiled = (kept: readonly Kept[]): CompileResult => ({
    kind: "compiled",
    object,
    dependencies: kept.map(dependencies.pathOf),
  });
  const known = (await entry.damage()) === undefined ? await readList<Kept>(entry.path) : undefined;
  if (known !== undefined && (await dependencies.areAsKept(known))) return compiled(known);
  if (entry.exists()) await entry.remove();
  let made: readonly Kept[] = [];
  try {
    await entry.makeDirectory(async (directory) => {
      const result = await compile(directory);
      if (result.kind === "does-not-compile") throw new NotCompiled(result);
      made = await dependencies.of(result.dependencies);
      await rename(result.object, join(directory, OBJECT));
      await writeFile(join(directory, LIST), JSON.stringify(made));
    }, "contents");
  } catch (error) {
    if (error instanceof NotCompiled) return error.result;
    throw error;
  }
  return compiled(made);
}

/** Takes the making of an entry back. */
class NotCompiled extends Error {
  readonly result: CompileResult;

  constructor(result: CompileResult) {
    super("it does not compile");
    this.result = result;
  }
}

async function readList<Kept>(directory: string): Promise<Kept[] | undefined> {
  try {
    return JSON.parse(await readFile(join(directory, LIST), "utf8")) as Kept[];
  } catch {
    return undefined;
  }
}

/** Time of change and size of a file, or that it is gone. */
export async function stateOf(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? "gone" : `${found.mtimeMs} ${found.size}`;
}
