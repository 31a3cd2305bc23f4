/** What `suture build` is given and says, whatever the livepatch is for. */
import { availableParallelism } from "node:os";
import type { LivepatchRequest, LivepatchResult } from "../builder/request.ts";
import { EXIT } from "../lib/error.ts";
import { readGivenFile } from "../lib/read-file.ts";
import { checkOutput } from "../lib/replace-file.ts";
import type { Note } from "../patch/metadata.ts";
import type { Refusal } from "../patch/refusal.ts";
import { type DiffText, MAX_DIFF_BYTES } from "../source/diffs/diff-parse.ts";
import type { Context, Outcome } from "./command.ts";
import type { Json } from "./documents.ts";

/** What was typed, before anything is read. */
export interface BuildChoice extends Pick<LivepatchRequest, "strip" | "output" | "name" | "replace"> {
  /** Paths; `-` is standard input. */
  readonly diffs: readonly string[];
  /** Default: one a processor. */
  readonly jobs: number | undefined;
}

/** @param files that are read besides the diffs */
export async function requestFrom(
  { diffs, jobs, output }: BuildChoice,
  files: readonly string[],
  { cache, progress, signal }: Context,
): Promise<Pick<LivepatchRequest, "diffs" | "jobs" | "cache" | "progress" | "signal">> {
  if (output !== undefined) await checkOutput(output, [...diffs, ...files]);
  const texts: DiffText[] = [];
  for (const path of diffs)
    texts.push({
      name: path === "-" ? "stdin" : path,
      data: await readGivenFile(path, { signal, maxBytes: MAX_DIFF_BYTES }),
    });
  return {
    diffs: texts,
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
export function outcomeOf<Metadata extends Json<"explain">>(
  result: LivepatchResult<Metadata>,
  what: string,
  builtLines: (path: string, metadata: Metadata, totalSeconds: number) => string[],
): Outcome<Json<"build">> {
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

/**
 * Lines below what was said of the livepatch: what was done beyond replacing functions,
 * then what has no new version and why.
 */
export function noteLines(notes: readonly Note[], leftOut: readonly Refusal[]): string[] {
  return [
    ...notes.map(({ code, text }) => `  ${code}: ${text}`),
    ...leftOut.map(({ code, what }) => `  left out: ${code}: ${what}`),
  ];
}
