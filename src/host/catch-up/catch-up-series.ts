/** One livepatch of a series of fixes, written to a file whose name is that of the very set. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { LivepatchResult } from "../../builder/request.ts";
import type { Attempts } from "../../fixes/attempt.ts";
import { type Cumulative, cumulativeOf, type PatchingMetadata, type SeriesSource } from "../../fixes/cumulative.ts";
import type { NamedPatch } from "../../fixes/named-patch.ts";
import type { Cache } from "../../lib/cache.ts";
import type { Progress } from "../../lib/progress.ts";
import { replaceFile } from "../../lib/replace-file.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import { TOOL } from "../../lib/version.ts";
import type { CommonMetadata } from "../../patch/metadata.ts";
import type { DiffText } from "../../source/diffs/diff-parse.ts";

/** With what it is worked. */
export interface CatchUpOptions {
  readonly cache: Cache;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly jobs: number;
  /** The directory that the livepatch is written to. */
  readonly output: string;
}

/** What a series is for. */
export interface SeriesTarget<Metadata extends CommonMetadata>
  extends SeriesSource,
    Pick<Attempts<Metadata>, "isRunning" | "objection"> {
  /** What all livepatches for it are called first (`catchUpPrefix`). */
  readonly prefix: string;
  readonly suffix: ".o" | ".ko";
  /** Which version it is, or which build: sets for another one have another name. */
  readonly base: string;
  /** Whether it takes the place of all livepatches that are loaded. */
  readonly replace: boolean;
  readonly build: (diffs: readonly DiffText[], name: string, output: string) => Promise<LivepatchResult<Metadata>>;
}

/** What came of a series. */
export interface CaughtUp<Metadata extends CommonMetadata> {
  readonly cumulative: Cumulative<Metadata>;
  /** Where the livepatch was written, and its name; undefined where there is none. */
  readonly livepatch: { readonly path: string; readonly name: string } | undefined;
}

/** What all livepatches of a system's fixes are called first. @param name a source package, or `linux` */
export function catchUpPrefix(name: string): string {
  return `catch_up_${name.replace(/[^A-Za-z0-9_]+/g, "_").slice(0, 30)}_`;
}

/** Throws what building throws that is not about a fix. */
export async function catchUpSeries<Metadata extends PatchingMetadata>(
  series: readonly NamedPatch[],
  target: SeriesTarget<Metadata>,
  { progress, output }: CatchUpOptions,
): Promise<CaughtUp<Metadata>> {
  const { prefix, suffix, build, isRunning, objection } = target;
  await using directory = await temporaryDirectory();
  const nameOf = (patches: readonly NamedPatch[]): string => `${prefix}${digestOf(target, patches)}`;
  const attempts = { directory: directory.path, nameOf, build, isRunning, objection };
  const cumulative = await cumulativeOf<Metadata>(series, target, attempts, progress);
  const { livepatch } = cumulative;
  if (livepatch === undefined) return { cumulative, livepatch: undefined };
  const { name } = livepatch.metadata;
  const path = join(output, `livepatch-${name.replaceAll("_", "-")}${suffix}`);
  await replaceFile(path, await readFile(livepatch.path));
  return { cumulative, livepatch: { path, name } };
}

/** The same set of the same patches has the same name, and no other set has it. */
function digestOf(
  { base, replace }: Pick<SeriesTarget<never>, "base" | "replace">,
  patches: readonly NamedPatch[],
): string {
  const hash = createHash("sha256").update(JSON.stringify([TOOL, base, replace]));
  for (const { data } of patches) hash.update(`${data.length}:`).update(data);
  return hash.digest("hex").slice(0, 10);
}
