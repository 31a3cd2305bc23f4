/** From a program that runs as an older version to one livepatch of all fixes that it can get. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { statusOf } from "../../core/status.ts";
import type { BuiltFixes } from "../../fixes/attempt.ts";
import { type Cumulative, cumulativeOf } from "../../fixes/cumulative.ts";
import type { NamedPatch } from "../../fixes/named-patch.ts";
import type { Cache } from "../../lib/cache.ts";
import { type Problem, SutureError } from "../../lib/error.ts";
import type { Progress } from "../../lib/progress.ts";
import { replaceFile } from "../../lib/replace-file.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import { TOOL } from "../../lib/version.ts";
import type { ProgramMetadata } from "../../patch/program-metadata.ts";
import { readProgramLivepatch } from "../../process/loader/livepatch.ts";
import { ImageStore } from "../../process/stack/images.ts";
import { distribution } from "../../provider/registry/distributions.ts";
import { buildProgramLivepatch } from "../../subject/program/build.ts";
import { programRules } from "../../subject/program/units/file-rules.ts";
import { patchedState } from "../../targets/process/look.ts";
import { ProcessTarget } from "../../targets/process/process-target.ts";
import { type NamedDifference, namedDifference } from "./named-fixes.ts";
import type { Outdated } from "./outdated.ts";

/** With what it is worked. */
export interface CatchUpOptions {
  readonly cache: Cache;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly jobs: number;
  /** Where the livepatch is written. */
  readonly output: string;
}

/** What one version that runs can get. */
export interface ProgramCatchUp extends Pick<NamedDifference, "unnamed"> {
  readonly outdated: Outdated;
  readonly cumulative: Cumulative<ProgramMetadata>;
  /** Where the livepatch was written; undefined where there is none. */
  readonly path: string | undefined;
}

/** What all livepatches of a package's fixes are called first. */
export function catchUpPrefix(source: string): string {
  return `catch_up_${source.replace(/[^A-Za-z0-9_]+/g, "_").slice(0, 30)}_`;
}

/** Throws what getting sources and building throw that is not about a fix. */
export async function catchUpProgram(outdated: Outdated, options: CatchUpOptions): Promise<ProgramCatchUp> {
  const { versions, from, to, files, pids } = outdated;
  const { series, unnamed } = await namedDifference(versions, from, to);
  if (series.length === 0)
    return { outdated, unnamed, cumulative: { fixes: [], livepatch: undefined, tries: 0 }, path: undefined };
  const program = { kind: "package", name: versions.spec(from), executables: [] } as const;
  // Made ready on first use: then the tree is there that all sets are held against.
  const { tree } = await distribution().sourcePackage(program.name, options);
  const prefix = catchUpPrefix(versions.name);
  const isAlone = pids.every((pid) => hasOnlyOwn(pid, prefix));
  const running = new Set(files.map(({ buildId }) => buildId));
  await using directory = await temporaryDirectory();
  const cumulative = await cumulativeOf<ProgramMetadata>(
    series,
    { tree, kindOf: programRules.kindOf },
    {
      directory: directory.path,
      nameOf: (patches) => `${prefix}${digestOf(from, patches, isAlone)}`,
      build: (diffs, name, output) =>
        buildProgramLivepatch({ ...options, program, diffs, name, output, strip: undefined, replace: isAlone }),
      isRunning: ({ objects }) => objects.some(({ buildId }) => running.has(buildId)),
      objection: (built) => objectionOf(built, pids),
    },
    options.progress,
  );
  const { livepatch } = cumulative;
  if (livepatch === undefined) return { outdated, unnamed, cumulative, path: undefined };
  const path = join(options.output, `livepatch-${livepatch.metadata.name.replaceAll("_", "-")}.o`);
  await replaceFile(path, await readFile(livepatch.path));
  return { outdated, unnamed, cumulative, path };
}

/** The same set of the same patches has the same name, and no other set has it. */
function digestOf(from: string, patches: readonly NamedPatch[], replaces: boolean): string {
  const hash = createHash("sha256").update(JSON.stringify([TOOL, from, replaces]));
  for (const { data } of patches) hash.update(`${data.length}:`).update(data);
  return hash.digest("hex").slice(0, 10);
}

/** Whether a livepatch that replaces all others would take nothing away that is another's. */
function hasOnlyOwn(pid: number, prefix: string): boolean {
  try {
    const state = patchedState(pid);
    if (state === undefined) return true;
    return state.core.patches.every((patch) => patch.name.startsWith(prefix) || !statusOf(state.core, patch).enabled);
  } catch (error) {
    if (error instanceof SutureError) return true;
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
      if (!(error instanceof SutureError)) throw error;
    }
  }
  return undefined;
}
