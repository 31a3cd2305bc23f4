/** What a build is asked for and what comes of it, whatever the livepatch is for. */
import type { Cache } from "../lib/cache.ts";
import type { Progress } from "../lib/progress.ts";
import type { LeftOutRecord, Note } from "../patch/metadata.ts";
import type { Refusal } from "../patch/refusal.ts";
import type { DiffText } from "../source/diffs/diff-parse.ts";

/** What is asked for, whatever the livepatch is for. */
export interface LivepatchRequest {
  readonly diffs: readonly DiffText[];
  /** Leading directories of the diffs' names to drop; found out by default. */
  readonly strip: number | undefined;
  /** Path of the livepatch; by default its name in the working directory, with `.ko` for kernels and `.o` for programs. */
  readonly output: string | undefined;
  /** Default: from the first diff's name. */
  readonly name: string | undefined;
  /** Which one of the livepatches of its name it is, from 1; a higher one is newer. Default: it is not numbered. */
  readonly patchVersion?: number | undefined;
  /** Whether the livepatch replaces all that are loaded. */
  readonly replace: boolean;
  /** Whether the livepatch keeps the diffs, for whoever is to know what it does. Default: it does. */
  readonly keepsDiffs?: boolean | undefined;
  /** How many compilers run at a time. */
  readonly jobs: number;
  readonly cache: Cache;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
}

/** `no-change`: the diffs change no code of what they are for. Nothing is written but where it is `built`. */
export type LivepatchResult<Metadata> =
  | {
      readonly kind: "built";
      readonly path: string;
      readonly metadata: Metadata;
      /** Seconds, by step. */
      readonly seconds: Readonly<Record<string, number>>;
    }
  | { readonly kind: "refused"; readonly refusals: readonly Refusal[]; readonly leftOut: readonly LeftOutRecord[] }
  | { readonly kind: "no-change"; readonly notes: readonly Note[] };
