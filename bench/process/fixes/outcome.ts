/** What came out of one fix, as bench/results keeps it. */

export interface Stops {
  /** How many processes took part, and how many threads they had. */
  readonly processes: number;
  readonly threads: number;
  /** Times during which all threads of a process stood still, microseconds. */
  readonly stopsUs: readonly number[];
  /** Threads that were stopped by themselves: microseconds each. */
  readonly singleUs: readonly number[];
  /** Of the whole command. */
  readonly seconds: number;
}

export interface FixOutcome {
  readonly id: string;
  readonly what: string;
  readonly package: string;
  readonly version: string;
  readonly before: "stock" | "left-out";
  readonly diffs: readonly string[];
  /** Of the machine, when the fix was tried: how many tasks wanted a processor, the average of a minute. */
  readonly loadAverage?: number;
  /** Why suture does not make a livepatch of it: nothing was tried then. */
  readonly refused?: string;
  /** The stage that failed and why; undefined where all of it worked. */
  readonly failed?: { readonly stage: string; readonly why: string };
  readonly buildSeconds?: number;
  /** Of the functions patched: `name (object)`. */
  readonly functions?: readonly string[];
  readonly provedFunctions?: number;
  /** What `suture audit` found; undefined where it was not asked. */
  readonly audit?: readonly string[];
  readonly load?: Stops;
  readonly disable?: Stops;
  /** What the probe saw. */
  readonly seenBefore?: string;
  readonly seenPatched?: string;
  readonly seenAfter?: string;
  readonly generator?: string;
  readonly requests?: number;
  readonly errors?: number;
  readonly complaints?: readonly string[];
}
