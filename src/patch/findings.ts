import type { LeftOutRecord, Note } from "./metadata.ts";
import type { Refusal } from "./refusal.ts";

/** What a step of a build finds beside its result. It is made once, and others are made of it. */
export interface Findings {
  readonly refusals: readonly Refusal[];
  readonly notes: readonly Note[];
  readonly leftOut: readonly LeftOutRecord[];
}

/** Those of all parts, in their order. */
export function findingsOf(...parts: readonly Partial<Findings>[]): Findings {
  return {
    refusals: parts.flatMap(({ refusals = [] }) => refusals),
    notes: parts.flatMap(({ notes = [] }) => notes),
    leftOut: parts.flatMap(({ leftOut = [] }) => leftOut),
  };
}
