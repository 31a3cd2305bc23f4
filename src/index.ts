/**
 * suture as a library: the whole of it. Its parts alone are `suture/builder`,
 * `suture/process`, `suture/core` and `suture/elf`.
 *
 * What cannot be patched is a result; broken input and a broken environment are
 * thrown, as a `SutureError`.
 */
export * from "./builder.ts";
export * from "./process.ts";
export { KernelTarget, type KernelTargetOptions } from "./targets/kernel/kernel-target.ts";
export { type KernelPatch, type KernelState, kernelState } from "./targets/kernel/look.ts";
export { type Loadable, readLoadable } from "./targets/loadable.ts";
export type { Target } from "./targets/target.ts";
export type { VerbResult } from "./targets/verb-result.ts";
