/**
 * A source package with its last patches taken off: the source of a version that has left the archive, as far
 * as these patches are all that came after it. What was built of it is that of the newer version, and its
 * commands are: which of it is the source of what runs has to be proved.
 */
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { SutureError } from "../../lib/error.ts";
import { run } from "../../lib/run.ts";
import type { CompileCommand } from "../program/command-line.ts";
import type { OpenOptions } from "../program/open-options.ts";
import type { SourcePackage } from "../program/source-package.ts";
import type { SourcePatch } from "../program/source-versions.ts";
import { openSourcePackage } from "./source-package.ts";

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
  const hash = createHash("sha256").update(base.tree);
  for (const { data } of patches) hash.update(`${data.length}:`).update(data);
  const entry = cache.named("programs", `${basename(from)}_without_${hash.digest("hex").slice(0, 16)}`);
  const name = basename(base.tree);
  await entry.locked(
    async () => {
      if (entry.exists()) return;
      await entry.makeDirectory(async (directory) => {
        await run("cp", ["-a", "--reflink=auto", base.tree, directory], { check: true, signal });
        for (const patch of patches.toReversed()) await takeOff(patch, join(directory, name), signal);
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

async function takeOff({ name, data }: SourcePatch, tree: string, signal: AbortSignal | undefined): Promise<void> {
  const args = ["--reverse", "--strip=1", "--force", "--fuzz=0", "--no-backup-if-mismatch", "--quiet"];
  const { exitCode, stdout } = await run("patch", args, { cwd: tree, input: data, signal });
  if (exitCode === 0) return;
  throw new SutureError("DIFF_DOES_NOT_APPLY", `the patch ${name} cannot be taken off the source`, {
    where: stdout.trim().split("\n").at(-1),
    hint: "get the source of the version that runs, from snapshot.debian.org for instance",
  });
}
