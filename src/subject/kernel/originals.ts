/** Objects of a kernel's own source, kept in the cache. */
import { join } from "node:path";
import type { CompileResult } from "../../builder/compile-result.ts";
import { keptOriginal, stateOf } from "../../builder/originals.ts";
import type { Cache } from "../../lib/cache.ts";
import type { Kernel } from "../../provider/kernel/kernel.ts";
import type { Unit } from "../../provider/kernel/unit.ts";
import { argumentsFor, type CompileOptions, compileIn } from "./compile.ts";

/** To be raised when the same inputs give another object. */
const FORMAT = "1";

interface Dependency {
  readonly path: string;
  /** Only of kernels whose source may change. */
  readonly state?: string;
}

/** The unit as it is in the kernel's own tree, compiled on first use. */
export async function compileOriginal(unit: Unit, cache: Cache, options: CompileOptions): Promise<CompileResult> {
  const { kernel, compiler } = options;
  const command = [...argumentsFor(unit, options), "|", ...(unit.objtool ?? ["-"])].join("\n");
  const entry = cache.entry("originals", [FORMAT, kernel.identity, compiler.text, unit.source, unit.object, command]);
  return await keptOriginal<Dependency>(entry, dependenciesIn(kernel), (directory) =>
    compileIn(unit, kernel.source, directory, options),
  );
}

function dependenciesIn({ source, sourceMayChange }: Kernel) {
  const now = async (path: string): Promise<Dependency> =>
    sourceMayChange ? { path, state: await stateOf(join(source, path)) } : { path };
  return {
    of: async (read: readonly string[]) => await Promise.all(read.map(now)),
    pathOf: ({ path }: Dependency) => path,
    async areAsKept(kept: readonly Dependency[]) {
      if (!sourceMayChange) return true;
      const states = await Promise.all(kept.map(({ path }) => now(path)));
      return kept.every(({ state }, i) => state === states[i]?.state);
    },
  };
}
