/** Source diffs for a ready kernel, made by edits of its source, and livepatches of them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createTwoFilesPatch } from "diff";
import { Cache } from "../../src/lib/cache.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import type { Kernel } from "../../src/provider/kernel/kernel.ts";
import { buildKernelLivepatch, type KernelBuildResult } from "../../src/subject/kernel/build.ts";

/** What is replaced, once, in a file of the kernel's source; an empty `from` appends. */
export type Edit = readonly [path: string, from: string, to: string];

/** Throws where a file does not have what is to be replaced. */
export function sourceDiff(kernel: Kernel, edits: readonly Edit[]): string {
  const texts = new Map<string, { readonly original: string; patched: string }>();
  for (const [path, from, to] of edits) {
    const original = texts.get(path)?.original ?? readFileSync(join(kernel.source, path), "latin1");
    const text = texts.get(path)?.patched ?? original;
    if (!text.includes(from)) throw new Error(`${path} of ${kernel.release} does not have ${from}`);
    const patched = from === "" ? `${text}\n${to}\n` : text.replace(from, () => to);
    texts.set(path, { original, patched });
  }
  return [...texts]
    .map(([path, { original, patched }]) => createTwoFilesPatch(`a/${path}`, `b/${path}`, original, patched))
    .join("");
}

/** Builds, stacked on others unless `replace`, to `directory/name.ko`. */
export async function buildEdits(
  kernel: Kernel,
  directory: string,
  name: string,
  edits: readonly Edit[],
  replace = false,
): Promise<KernelBuildResult> {
  return await buildKernelLivepatch({
    kernel: { kind: "release", release: kernel.release },
    diffs: [{ name: `${name}.patch`, data: Buffer.from(sourceDiff(kernel, edits), "latin1") }],
    strip: undefined,
    output: join(directory, `${name}.ko`),
    name,
    replace,
    jobs: 2,
    cache: new Cache(),
    progress: silentProgress,
    signal: undefined,
  });
}
