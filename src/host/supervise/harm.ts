/** What can go wrong with a machine after a livepatch has come into it. */

/** A sign that the machine is worse off than before; it is taken for the livepatch's doing. */
export interface Harm {
  readonly kind: "kernel-log" | "health" | "stuck" | "pressure" | "ended";
  /** One sentence. */
  readonly what: string;
  /** What was seen, a line each; may be empty. */
  readonly evidence: readonly string[];
}
