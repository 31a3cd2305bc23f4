/** The whole way from source diffs to a livepatch for a program. */
import { buildLivepatch } from "../../builder/build.ts";
import type { LivepatchRequest, LivepatchResult } from "../../builder/request.ts";
import { Stopwatch } from "../../builder/stopwatch.ts";
import type { ProgramMetadata } from "../../patch/program-metadata.ts";
import { openProgram, type ProgramChoice } from "./open-program.ts";
import { programSubject } from "./program-subject.ts";

/** What a program's livepatch is built from. */
export interface ProgramBuildRequest extends LivepatchRequest {
  readonly program: ProgramChoice;
}

/** With the metadata that the livepatch carries, where it was built. */
export type ProgramBuildResult = LivepatchResult<ProgramMetadata>;

/** Throws what `openProgram` and `buildLivepatch` throw. */
export async function buildProgramLivepatch(request: ProgramBuildRequest): Promise<ProgramBuildResult> {
  const run = { ...request, watch: new Stopwatch() };
  const program = await openProgram(request.program, request.diffs, request);
  return await buildLivepatch(programSubject(program, run), request, run);
}
