/**
 * A source package with its last patches taken off: the source of a version that has left the archive, as far
 * as these patches are all that came after it. What was built of it is that of the newer version, and its
 * commands are: which of it is the source of what runs has to be proved.
 */
import { createHash } from "node:crypto";
import { basename, dirname, join, relative, resolve } from "node:path";
import type { CompileCommand } from "../program/command-line.ts";
import type { OpenOptions } from "../program/open-options.ts";
import type { SourcePackage } from "../program/source-package.ts";
import type { SourcePatch } from "../program/source-versions.ts";
import { openSourcePackage } from "./source-package.ts";
import { treeWithout } from "./tree-without.ts";

/** To be raised when the same patches leave another source. */
const FORMAT = 2;

/**
 * Made on first use, and kept. Throws what `openSourcePackage` throws, and
 * `DIFF_DOES_NOT_APPLY` for a patch that is not the last one of those that are on.
 * @param patches the last ones, in the order in which they were applied
 */
export async function sourceWithout(
  spec: string,
  patches: readonly SourcePatch[],
  options: OpenOptions,
): Promise<SourcePackage> {
  const { cache, signal } = options;
  const base = await openSourcePackage(spec, options);
  const from = dirname(base.tree);
  const hash = createHash("sha256").update(`${FORMAT} ${base.tree}`);
  for (const { data } of patches) hash.update(`${data.length}:`).update(data);
  const entry = cache.named("programs", `${basename(from)}_without_${hash.digest("hex").slice(0, 16)}`);
  const name = basename(base.tree);
  await entry.locked(
    async () => {
      if (entry.exists()) return;
      await entry.makeDirectory(async (directory) => {
        const sources = base.commands.map(({ source, directory: at }) => relative(base.tree, resolve(at, source)));
        await treeWithout(patches, { from: base.tree, to: join(directory, name), sources }, signal);
      });
    },
    { signal },
  );
  return {
    ...base,
    tree: join(entry.path, name),
    commands: JSON.parse(JSON.stringify(base.commands).replaceAll(from, entry.path)) as CompileCommand[],
  };
}
