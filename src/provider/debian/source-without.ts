/**
 * A source package with its last patches taken off: the source of a version that has left the archive, as far
 * as these patches are all that came after it. What was built of it is that of the newer version, and its
 * commands are: which of it is the source of what runs has to be proved.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { copyFile, rm } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { SutureError } from "../../lib/error.ts";
import { run } from "../../lib/run.ts";
import { parseDiff } from "../../source/diffs/diff-parse.ts";
import type { CompileCommand } from "../program/command-line.ts";
import { copyDirectories } from "../program/copied-sources.ts";
import type { OpenOptions } from "../program/open-options.ts";
import type { SourcePackage } from "../program/source-package.ts";
import type { SourcePatch } from "../program/source-versions.ts";
import { openSourcePackage } from "./source-package.ts";

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
        await run("cp", ["-a", "--reflink=auto", base.tree, directory], { check: true, signal });
        const tree = join(directory, name);
        const sources = base.commands.map(({ source, directory: at }) => relative(base.tree, resolve(at, source)));
        const copies = copyDirectories(
          tree,
          sources.filter((source) => !source.startsWith("..")),
        );
        for (const patch of patches.toReversed()) await takeOffCopies(patch, { tree, copies }, signal);
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

interface CopiedTree {
  readonly tree: string;
  /** Directories below it that hold copies. */
  readonly copies: readonly string[];
}

/** From the source, and from each copy of it that the build has made: a file there that was equal is equal afterwards. */
async function takeOffCopies(
  patch: SourcePatch,
  { tree, copies }: CopiedTree,
  signal: AbortSignal | undefined,
): Promise<void> {
  const files = [...new Set(parseDiff(patch).flatMap(({ oldName, newName }) => [oldName, newName]))].flatMap((file) =>
    file === undefined ? [] : [file.split("/").slice(1).join("/")],
  );
  const equal = files.flatMap((file) =>
    copies
      .map((copy) => [join(tree, file), join(tree, copy, file)] as const)
      .filter(([from, to]) => textOf(from) !== undefined && textOf(from) === textOf(to)),
  );
  await takeOff(patch, tree, signal);
  for (const [from, to] of equal) {
    if (textOf(from) === undefined) await rm(to);
    else await copyFile(from, to);
  }
}

function textOf(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "latin1") : undefined;
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
