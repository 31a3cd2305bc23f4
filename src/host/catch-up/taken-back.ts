/**
 * Which version a build is whose source is gone: the newest one without its last patches, as many as its own
 * code proves to be missing. A patch is missing where, with it and all behind it taken off, the functions that
 * it changes are byte for byte those that run. One of which that cannot be told is missing where an earlier one
 * is: patches come in their order.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type NamedPatch, namedPatch } from "../../fixes/named-patch.ts";
import { SutureError } from "../../lib/error.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import type { SourcePatch, SourceVersions } from "../../provider/program/source-versions.ts";
import { buildProgramLivepatch } from "../../subject/program/build.ts";
import type { ProgramChoice } from "../../subject/program/open-program.ts";
import type { RunningBuild } from "../../targets/process/running-builds.ts";
import { runningFile } from "../../targets/process/running-file.ts";
import type { CatchUpOptions } from "./catch-up-series.ts";

/** A build, and the fixes that it does not have. */
export interface TakenBack {
  readonly choice: ProgramChoice;
  readonly series: readonly NamedPatch[];
  /** The version that has them. */
  readonly to: string;
}

/** What says that a function of the source is not the one that runs. */
const ANOTHER_SOURCE = new Set(["FUNCTION_NOT_PROVED", "NOT_IN_PROGRAM", "SYMBOL_NOT_PROVED"]);

/** undefined where nothing is proved to be missing. Throws what getting the newest source throws. */
export async function takenBack(
  versions: SourceVersions,
  build: RunningBuild,
  options: CatchUpOptions,
): Promise<TakenBack | undefined> {
  const file = await keptFile(build, options);
  const found = file === undefined ? undefined : await newestPatches(versions);
  if (file === undefined || found === undefined) return undefined;
  const { newest, patches } = found;
  const choiceWithout = (without: readonly SourcePatch[]): ProgramChoice => ({
    kind: "package",
    name: versions.spec(newest),
    executables: [file],
    without,
  });
  let missing = 0;
  for (let count = 1; count <= patches.length; count++) {
    const without = patches.slice(-count);
    const told = await isMissing(choiceWithout(without), without[0] as SourcePatch, options);
    if (told === false) break;
    if (told === true) missing = count;
  }
  if (missing === 0) return undefined;
  const without = patches.slice(-missing);
  return {
    choice: choiceWithout(without),
    series: without.map(({ name, data }) => namedPatch(name, data)),
    to: newest,
  };
}

/** Of the newest version whose patches can be had; undefined where there is none. */
async function newestPatches(versions: SourceVersions) {
  for (const newest of versions.versions) {
    try {
      return { newest, patches: await versions.patches(newest) };
    } catch (error) {
      if (!(error instanceof SutureError) || error.code !== "SOURCE_NOT_IN_ARCHIVE") throw error;
    }
  }
  return undefined;
}

/** undefined where it cannot be told: it changes no code, or what cannot be patched. */
async function isMissing(
  program: ProgramChoice,
  { name, data }: SourcePatch,
  options: CatchUpOptions,
): Promise<boolean | undefined> {
  await using directory = await temporaryDirectory();
  const output = join(directory.path, "missing.o");
  const request = { ...options, program, diffs: [namedPatch(name, data)], output, name: "missing" };
  try {
    const result = await buildProgramLivepatch({ ...request, strip: undefined, replace: true });
    if (result.kind === "built") return true;
    if (result.kind === "no-change") return undefined;
    return result.refusals.some(({ code }) => ANOTHER_SOURCE.has(code)) ? false : undefined;
  } catch (error) {
    if (error instanceof SutureError && /^(DIFF_|FILE_)/.test(error.code)) return false;
    throw error;
  }
}

/** A copy of the file that runs, under the name that it runs by. */
async function keptFile({ buildId, pids }: RunningBuild, { cache }: CatchUpOptions): Promise<string | undefined> {
  const entry = cache.named("running", buildId);
  for (const pid of pids) {
    const file = await runningFile(pid, buildId).catch(() => undefined);
    if (file === undefined) continue;
    if (!entry.exists())
      await entry.makeDirectory(async (directory) => await writeFile(join(directory, file.name), file.data));
    return join(entry.path, file.name);
  }
  return undefined;
}
