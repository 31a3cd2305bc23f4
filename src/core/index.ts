/** The livepatch core as a library: give it a `Machine`, and it carries out transitions on it. */

export { CONSISTENCY_MODELS, type Consistency } from "./consistency.ts";
export { Core } from "./core.ts";
export { describeHolder, type Holder } from "./holder.ts";
export type { Change, Code, Frame, Machine, MachineEvent, Site, Stack, StoppedSystem } from "./machine.ts";
export type { Outcome } from "./outcome.ts";
export type { Func, Patch, PatchObject } from "./patch.ts";
export type { CoreRecord } from "./record.ts";
export { type PatchStatus, statusOf } from "./status.ts";
export type { TransitionOptions } from "./transition.ts";
