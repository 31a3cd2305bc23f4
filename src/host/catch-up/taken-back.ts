/**
 * Which version a build is whose source is gone: the newest one without its last patches, as many as its own
 * code proves to be missing: with them taken off, the functions that they change are byte for byte those that run.
 * One that changes no code of what runs is missing where an earlier one is: patches come in their order. Where it
 * changes a type all the same, or it cannot be told what runs, nothing is built: new code could have it otherwise
 * than the old code that is in force.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type NamedPatch, namedPatch } from "../../fixes/named-patch.ts";
import { PatchedTexts } from "../../fixes/patched-texts.ts";
import { touchedBy } from "../../fixes/touched.ts";
import { SutureError } from "../../lib/error.ts";
import type { SourcePatch, SourceVersions } from "../../provider/program/source-versions.ts";
import { changedCode } from "../../subject/program/changed-code.ts";
import { openProgram, type ProgramChoice } from "../../subject/program/open-program.ts";
import type { Program } from "../../subject/program/program.ts";
import { isCodeOf } from "../../subject/program/program-subject.ts";
import { programRules } from "../../subject/program/units/file-rules.ts";
import type { RunningBuild } from "../../targets/process/running-builds.ts";
import { runningFile } from "../../targets/process/running-file.ts";
import type { CatchUpOptions } from "./catch-up-series.ts";
import { missingPatches, type TakenOff } from "./missing-patches.ts";

/** A build, and the fixes that it does not have. */
export interface TakenBack {
  readonly kind: "taken-back";
  readonly choice: ProgramChoice;
  readonly series: readonly NamedPatch[];
  /** The version that has them. */
  readonly to: string;
}

/** It cannot be told whether it has a patch. */
export interface Unclear {
  readonly kind: "unclear";
  readonly patch: string;
}

/** undefined where nothing is proved to be missing. Throws what getting the newest source throws. */
export async function takenBack(
  versions: SourceVersions,
  build: RunningBuild,
  options: CatchUpOptions,
): Promise<TakenBack | Unclear | undefined> {
  const file = await keptFile(build, options);
  const found = file === undefined ? undefined : await newestPatches(versions);
  if (file === undefined || found === undefined) return undefined;
  const { newest, patches } = found;
  const choiceWithout = (without: readonly SourcePatch[]): ProgramChoice => ({
    kind: "package",
    name: versions.spec(newest),
    executables: [file],
    ...(without.length === 0 ? {} : { without }),
  });
  const told = await missingPatches(patches.length, async (fromEnd) => {
    const without = patches.slice(-fromEnd);
    const patch = without[0] as SourcePatch;
    options.progress.step(`look whether what runs has ${patch.name}`);
    const choices = [choiceWithout(without), choiceWithout(without.slice(1))] as const;
    return await takenOff(choices, patch, options);
  });
  if (told.kind === "unclear") return { kind: "unclear", patch: patches.at(-told.at)?.name ?? "" };
  const { missing } = told;
  if (missing === 0) return undefined;
  const without = patches.slice(-missing);
  return {
    kind: "taken-back",
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

/** Where it cannot be taken off or put on again, nothing is known of it. */
async function takenOff(
  [off, on]: readonly [ProgramChoice, ProgramChoice],
  { name, data }: SourcePatch,
  options: CatchUpOptions,
): Promise<TakenOff> {
  const patch = namedPatch(name, data);
  try {
    const program = await openProgram(off, [patch], options);
    const withIt = await openProgram(on, [], options);
    const { forms, isMore } = await changedCode({ program, withIt }, patch, options);
    return { forms, isMore: isMore || (forms.size === 0 && changesType(program, patch)) };
  } catch (error) {
    if (error instanceof SutureError && /^(DIFF_|FILE_)/.test(error.code)) return { forms: new Map(), isMore: true };
    throw error;
  }
}

function changesType(program: Program, patch: NamedPatch): boolean {
  const { tree } = program;
  const isCode = isCodeOf(program);
  const isPassedOver = (path: string): boolean => programRules.kindOf(path) === "not-code" && !isCode(path);
  const { definitions } = touchedBy(new PatchedTexts({ tree, isPassedOver }).apply(patch));
  return [...definitions].some((each) => /:type /.test(each));
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
