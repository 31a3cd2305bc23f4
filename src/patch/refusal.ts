import type { RefusalCode } from "../lib/codes.ts";
/**
 * What cannot be patched, and why. Refusing is a result, not an exception:
 * a stage returns what it found, the refusals in it.
 */
export interface Refusal {
  readonly kind: "refusal";
  /** Stable, upper case, for instance `DATA_LAYOUT_CHANGED`; a livepatch of another version may have others than this one knows. */
  readonly code: string;
  /** One sentence: what cannot be patched and why. */
  readonly what: string;
  /** Source file, object, section, symbol, offset. */
  readonly where: string;
  /** What the author of the diff can write instead, or which command helps. */
  readonly hint: string;
}

/** One that this version has made. */
export interface OwnRefusal extends Refusal {
  readonly code: RefusalCode;
}

/** Whether what was asked for is refused: for results that are one or the other. */
export function isRefusal(value: unknown): value is Refusal {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "refusal";
}

/**
 * A refusal of this version's own, whose code has a row in a page of docs/; `hint` has
 * to be something that can be done.
 */
export function refusal(code: RefusalCode, what: string, where: string, hint: string): OwnRefusal {
  return { kind: "refusal", code, what, where, hint };
}
