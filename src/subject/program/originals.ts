/** Objects of a program's own source, kept in the cache. */
import { join, resolve } from "node:path";
import type { CompileResult } from "../../builder/compile-result.ts";
import { keptOriginal, stateOf } from "../../builder/originals.ts";
import type { Cache } from "../../lib/cache.ts";
import { argumentsFor, compileTo, type ProgramCompileOptions } from "./compile.ts";
import type { ProgramUnit } from "./program.ts";

/** To be raised when the same inputs give another object. */
const FORMAT = "1";

type Dependency = readonly [path: string, state: string];

/** The unit as it is in its own tree, compiled on first use. */
export async function compileProgramOriginal(
  { command }: ProgramUnit,
  cache: Cache,
  options: ProgramCompileOptions,
): Promise<CompileResult> {
  const { directory, source, env } = command;
  const words = argumentsFor(command, options.variant, options.compiler).join("\n");
  const parts = [FORMAT, options.compiler.text, directory, source, words, JSON.stringify(env)];
  const now = async (path: string): Promise<Dependency> => [path, await stateOf(path)];
  const dependencies = {
    of: (read: readonly string[]) => Promise.all([source, ...read].map((path) => now(resolve(directory, path)))),
    pathOf: ([path]: Dependency) => path,
    async areAsKept(kept: readonly Dependency[]) {
      const states = await Promise.all(kept.map(([path]) => now(path)));
      return kept.every(([, state], i) => state === states[i]?.[1]);
    },
  };
  return await keptOriginal<Dependency>(cache.entry("program-originals", parts), dependencies, (into) =>
    compileTo(join(into, "made.o"), command, options),
  );
}
