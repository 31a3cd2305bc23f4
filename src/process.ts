/** Running processes as a library: the verbs on one, and what all of them have. */

export { type ProgramLivepatch, readProgramLivepatch } from "./process/loader/livepatch.ts";
export { findProcesses } from "./targets/process/discover.ts";
export {
  type NewerState,
  type Overview,
  type PatchedState,
  patchedProcesses,
  patchedState,
} from "./targets/process/look.ts";
export { ProcessTarget, type ProcessTargetOptions } from "./targets/process/process-target.ts";
export type { CostRecord, HolderRecord, VerbResult } from "./targets/verb-result.ts";
