/** A built source tree with its last patches taken off, beside the one that has them. */
import { existsSync, readFileSync } from "node:fs";
import { copyFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "../../lib/error.ts";
import { run } from "../../lib/run.ts";
import { parseDiff } from "../../source/diffs/diff-parse.ts";
import { copyDirectories } from "../program/copied-sources.ts";
import type { SourcePatch } from "../program/source-versions.ts";

/** A tree that is there, and one to be made of it. */
export interface TreePair {
  readonly from: string;
  /** Not there yet, on the same file system. */
  readonly to: string;
  /** Paths of what is compiled, below either. */
  readonly sources: readonly string[];
}

/**
 * What the patches do not touch is the same file in both trees, by a hard link: neither is written to once it is
 * made, and a built source is large. Throws `DIFF_DOES_NOT_APPLY` for a patch that is not the last one of those
 * that are on.
 * @param patches the last ones, in the order in which they were applied
 */
export async function treeWithout(
  patches: readonly SourcePatch[],
  { from, to, sources }: TreePair,
  signal: AbortSignal | undefined,
): Promise<void> {
  await run("cp", ["--archive", "--link", "--no-target-directory", from, to], { check: true, signal });
  const copies = copyDirectories(
    to,
    sources.filter((source) => !source.startsWith("..")),
  );
  for (const patch of patches.toReversed()) await takeOffCopies(patch, { tree: to, copies }, signal);
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
  for (const file of files) await makeOwn(join(tree, file));
  await takeOff(patch, tree, signal);
  for (const [from, to] of equal) {
    if (textOf(from) === textOf(to)) continue;
    await rm(to);
    if (textOf(from) !== undefined) await copyFile(from, to);
  }
}

/** A link to a file of the other tree becomes a file. */
async function makeOwn(path: string): Promise<void> {
  if (textOf(path) === undefined) return;
  const own = `${path}.own`;
  await copyFile(path, own);
  await rename(own, path);
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
