import type { LeftOutRecord, Note } from "./metadata.ts";
import type { Refusal } from "./refusal.ts";

/** What a step of a build finds beside its result. It is made once, and others are made of it. */
export interface Findings {
  readonly refusals: readonly Refusal[];
  readonly notes: readonly Note[];
  readonly leftOut: readonly LeftOutRecord[];
}

/** What was made, and the refusals in place of the rest; each in its order. */
export function madeOf<Made extends object>(
  results: readonly (Made | Refusal)[],
): { readonly made: readonly Made[]; readonly refusals: readonly Refusal[] } {
  const isRefusal = (each: Made | Refusal): each is Refusal => "kind" in each && each.kind === "refusal";
  return {
    made: results.filter((each): each is Made => !isRefusal(each)),
    refusals: results.filter((each) => isRefusal(each)),
  };
}

/** Those of all parts, in their order. */
export function findingsOf(...parts: readonly Partial<Findings>[]): Findings {
  return {
    refusals: parts.flatMap(({ refusals = [] }) => refusals),
    notes: parts.flatMap(({ notes = [] }) => notes),
    leftOut: parts.flatMap(({ leftOut = [] }) => leftOut),
  };
}
