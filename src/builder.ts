/** The builder as a library: source diffs in, livepatches out, what was found as data. */
import { availableParallelism } from "node:os";
import { Cache } from "./lib/cache.ts";
import { silentProgress } from "./lib/progress.ts";
import { buildKernelLivepatch, type KernelBuildRequest, type KernelBuildResult } from "./subject/kernel/build.ts";
import { buildProgramLivepatch, type ProgramBuildRequest, type ProgramBuildResult } from "./subject/program/build.ts";

export { Cache } from "./lib/cache.ts";
export { type Code, ERRORS, REFUSALS } from "./lib/codes.ts";
export { formatProblem, type Problem, SutureError } from "./lib/error.ts";
export type { Progress } from "./lib/progress.ts";
export { type LivepatchFile, readLivepatchFile } from "./patch/livepatch-file.ts";
export type { PatchMetadata } from "./patch/metadata.ts";
export type { ProgramMetadata } from "./patch/program-metadata.ts";
export type { Refusal } from "./patch/refusal.ts";
export type { KernelChoice } from "./provider/kernel/kernel.ts";
export type { DiffText } from "./source/diffs/diff-parse.ts";
export type { KernelBuildResult } from "./subject/kernel/build.ts";
export type { ProgramBuildResult } from "./subject/program/build.ts";
export type { ProgramChoice } from "./subject/program/open-program.ts";

/** What has to be said, and what has a default. */
type Wanted<Request, Needed extends keyof Request> = Pick<Request, Needed> & Partial<Omit<Request, Needed>>;

/**
 * Builds a livepatch for a kernel, to a file: by default its name, with `.ko`, in the
 * working directory. Throws a `SutureError` for diffs that do not apply, a kernel that
 * cannot be had, a wrong compiler, a full disk, an interruption; nothing is left behind then.
 */
export async function buildForKernel(
  wanted: Wanted<KernelBuildRequest, "diffs" | "kernel">,
): Promise<KernelBuildResult> {
  return await buildKernelLivepatch({ ...defaults(), ...wanted });
}

/** The same for a program, with `.o`. */
export async function buildForProgram(
  wanted: Wanted<ProgramBuildRequest, "diffs" | "program">,
): Promise<ProgramBuildResult> {
  return await buildProgramLivepatch({ ...defaults(), ...wanted });
}

function defaults() {
  return {
    strip: undefined,
    output: undefined,
    name: undefined,
    replace: false,
    jobs: availableParallelism(),
    cache: new Cache(),
    progress: silentProgress,
    signal: undefined,
  };
}
