/** From a program that runs as an older version to one livepatch of all fixes that it can get. */
import { readFile } from "node:fs/promises";
import { statusOf } from "../../core/status.ts";
import type { BuiltFixes } from "../../fixes/attempt.ts";
import type { NamedPatch } from "../../fixes/named-patch.ts";
import { isBeside } from "../../fixes/whole.ts";
import { type Problem, SutureError } from "../../lib/error.ts";
import type { ProgramMetadata } from "../../patch/program-metadata.ts";
import { readProgramLivepatch } from "../../process/loader/livepatch.ts";
import { ImageStore } from "../../process/stack/images.ts";
import { buildProgramLivepatch } from "../../subject/program/build.ts";
import { openProgram, type ProgramChoice } from "../../subject/program/open-program.ts";
import { isCodeOf } from "../../subject/program/program-subject.ts";
import { programRules } from "../../subject/program/units/file-rules.ts";
import { isGone } from "../../targets/process/discover.ts";
import { patchedState } from "../../targets/process/look.ts";
import { ProcessTarget } from "../../targets/process/process-target.ts";
import type { RunningBuild } from "../../targets/process/running-builds.ts";
import { type CatchUpOptions, type CaughtUp, catchUpPrefix, catchUpSeries } from "./catch-up-series.ts";

/** A program or library, or all of a package's. */
export interface ProgramSystem {
  /** Of its livepatches: the source package's, or the file's. */
  readonly name: string;
  readonly choice: ProgramChoice;
  /** Which version it is; undefined where its builds alone tell. */
  readonly version: string | undefined;
  /** Why patches of the series are not to be tried, by name. */
  readonly barred?: ReadonlyMap<string, Problem> | undefined;
}

/** The same with what runs of it. */
export interface ProgramCaughtUp extends CaughtUp<ProgramMetadata> {
  /** Paths of its files that run. */
  readonly files: readonly string[];
  /** Of these files. */
  readonly buildIds: readonly string[];
  /** Processes that run any of them, ascending. */
  readonly pids: readonly number[];
}

/** Throws what getting sources and building throw that is not about a fix. */
export async function catchUpProgram(
  series: readonly NamedPatch[],
  { name, choice, version, barred }: ProgramSystem,
  running: readonly RunningBuild[],
  options: CatchUpOptions,
): Promise<ProgramCaughtUp> {
  const program = await openProgram(choice, series, options);
  const own = new Map(program.shipped.map(({ buildId, path }) => [buildId, path]));
  const builds = running.filter(({ buildId }) => own.has(buildId));
  const pids = [...new Set(builds.flatMap((each) => each.pids))].sort((a, b) => a - b);
  const ids = new Set(builds.map(({ buildId }) => buildId));
  const prefix = catchUpPrefix(name);
  const replace = pids.every((pid) => hasOnlyOwn(pid, prefix));
  const isCode = isCodeOf(program);
  const caughtUp = await catchUpSeries<ProgramMetadata>(
    series,
    {
      tree: program.tree,
      isPassedOver: (path) => programRules.kindOf(path) === "not-code" && !isCode(path),
      isBeside,
      barred,
      prefix,
      suffix: ".o",
      base: version ?? [...own.keys()].sort().join(),
      replace,
      build: (diffs, name, output) =>
        buildProgramLivepatch({ ...options, program: choice, diffs, name, output, strip: undefined, replace }),
      // Where nothing runs at all, what could be had is told all the same.
      isRunning: ({ objects }) => ids.size === 0 || objects.some(({ buildId }) => ids.has(buildId)),
      objection: (built) => objectionOf(built, pids),
    },
    options,
  );
  return { ...caughtUp, files: builds.map(({ buildId }) => own.get(buildId) ?? ""), buildIds: [...ids], pids };
}

/** Whether a livepatch that replaces all others would take nothing away that is another's. */
function hasOnlyOwn(pid: number, prefix: string): boolean {
  try {
    const state = patchedState(pid);
    if (state === undefined) return true;
    return state.core.patches.every((patch) => patch.name.startsWith(prefix) || !statusOf(state.core, patch).enabled);
  } catch (error) {
    // It has ended, or what it has cannot be read: the load will say which.
    if (error instanceof SutureError || isGone(error)) return true;
    throw error;
  }
}

/** What a fix itself is at fault for; all else is the process's, and may be otherwise the next time. */
const OF_THE_FIX = new Set([
  "BINDING_UNDECIDED",
  "ENTRY_ACROSS_PAGES",
  "ENTRY_NOT_DISPLACEABLE",
  "EXCEPTIONS",
  "FUNCTION_TOO_SHORT",
  "IFUNC",
  "IMPORT_NOT_FOUND",
  "IMPORT_UNDECIDED",
  "INTERPOSED",
  "NEVER_RETURNS",
  "OUT_OF_REACH",
  "THREAD_LOCAL_DYNAMIC",
  "THREAD_LOCAL_NEW",
  "UNWINDER_UNKNOWN",
]);

/** Why one of the processes would never take it in. */
async function objectionOf(
  { path }: BuiltFixes<ProgramMetadata>,
  pids: readonly number[],
): Promise<Problem | undefined> {
  const livepatch = readProgramLivepatch(await readFile(path), path);
  const shared = { images: new ImageStore(), symbols: new Map() };
  for (const pid of pids) {
    try {
      const { problems } = await new ProcessTarget(pid, shared).preflight(livepatch);
      const own = problems.find(({ code }) => OF_THE_FIX.has(code));
      if (own !== undefined) return { code: own.code, what: own.what, where: own.where, hint: own.hint };
    } catch (error) {
      if (!(error instanceof SutureError) && !isGone(error)) throw error;
    }
  }
  return undefined;
}
