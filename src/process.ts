/** Running processes as a library: the verbs on one, and what all of them have. */
export { findProcesses } from "./targets/process/discover.ts";
export { type ProgramLivepatch, readProgramLivepatch } from "./targets/process/load/livepatch.ts";
export { type Overview, type PatchedState, patchedProcesses, patchedState } from "./targets/process/look.ts";
export { ProcessTarget, type ProcessTargetOptions } from "./targets/process/process-target.ts";
export type { CostRecord, HolderRecord, VerbResult } from "./targets/verb-result.ts";
