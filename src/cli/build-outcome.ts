/** What `suture build` is given and says, whatever the livepatch is for. */
import { availableParallelism } from "node:os";
import type { LivepatchRequest, LivepatchResult } from "../build/request.ts";
import { EXIT } from "../lib/error.ts";
import type { Note } from "../patch/metadata.ts";
import type { Refusal } from "../patch/refusal.ts";
import type { Context, Outcome } from "./command.ts";
import { readInput } from "./input.ts";

export interface BuildChoice extends Pick<LivepatchRequest, "strip" | "output" | "name" | "replace"> {
  /** Paths; `-` is standard input. */
  readonly diffs: readonly string[];
  /** Default: one a processor. */
  readonly jobs: number | undefined;
}

export function requestFrom(
  { diffs, jobs }: BuildChoice,
  { cache, progress, signal }: Context,
): Pick<LivepatchRequest, "diffs" | "jobs" | "cache" | "progress" | "signal"> {
  return {
    diffs: diffs.map((path) => ({ name: path === "-" ? "stdin" : path, data: readInput(path) })),
    jobs: jobs ?? availableParallelism(),
    cache,
    progress,
    signal,
  };
}

/**
 * @param what the diff is for, as in `this kernel`
 * @param builtLines what is said of a livepatch that was built
 */
export function outcomeOf<Metadata>(
  result: LivepatchResult<Metadata>,
  what: string,
  builtLines: (path: string, metadata: Metadata, totalSeconds: number) => string[],
): Outcome {
  switch (result.kind) {
    case "built": {
      const { path, metadata, seconds } = result;
      return { exit: EXIT.done, json: result, lines: builtLines(path, metadata, seconds["total"] ?? 0) };
    }
    case "refused":
      return { exit: EXIT.refused, json: result, lines: [], problems: result.refusals };
    case "no-change":
      return {
        exit: EXIT.noChange,
        json: result,
        lines: [`the diff changes no code of ${what}`, ...noteLines(result.notes, [])],
      };
  }
}

export function noteLines(notes: readonly Note[], leftOut: readonly Refusal[]): string[] {
  return [
    ...notes.map(({ code, text }) => `  ${code}: ${text}`),
    ...leftOut.map(({ code, what }) => `  left out: ${code}: ${what}`),
  ];
}
