/** What can go wrong with a machine after a livepatch has come into it. */
import type { FindingKind } from "../../rehearse/kernel-log.ts";

/** Kinds of lines that a kernel prints when something in it is broken; others may be about anything. */
export const FAULTS: ReadonlySet<FindingKind> = new Set<FindingKind>([
  ...(["oops", "bug", "warning", "lockdep", "rcu", "hang", "memory", "trace"] as const),
]);

/** A sign that the machine is worse off than before; it is taken for the livepatch's doing. */
export interface Harm {
  readonly kind: "kernel-log" | "health" | "stuck" | "pressure" | "ended";
  /** One sentence. */
  readonly what: string;
  /** What was seen, a line each; may be empty. */
  readonly evidence: readonly string[];
}
