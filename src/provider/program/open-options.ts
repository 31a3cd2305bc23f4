import type { Cache } from "../../lib/cache.ts";
import type { Progress } from "../../lib/progress.ts";

/** What finding a program and its source takes besides its name. */
export interface OpenOptions {
  readonly cache: Cache;
  readonly progress: Progress;
  readonly signal: AbortSignal | undefined;
}
