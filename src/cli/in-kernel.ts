/** The running kernel as a target, for the verbs. */
import { KernelTarget } from "../targets/kernel/kernel-target.ts";
import type { VerbRun } from "./run-in-processes.ts";

/** The running kernel, with what was typed. */
export function kernelTarget({ transition: { timeoutSeconds, keep }, context: { signal } }: VerbRun): KernelTarget {
  const timeoutMs = timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000;
  return new KernelTarget({ timeoutMs, onDeadline: keep ? "keep" : "reverse", signal });
}
