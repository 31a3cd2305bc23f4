/** A parser of untrusted bytes, as the fuzz driver sees it. */
export interface FuzzParser {
  readonly name: string;
  /** Share of the executions, relative to the others; default 1. Give a slow parser less. */
  readonly share?: number;
  /** Sound inputs that are made on the spot; small ones, since they are mutated millions of times. */
  seeds(): FuzzSeed[];
  /**
   * Parses, and looks at everything that the parser found. Throws SutureError
   * for damaged input; anything else that is thrown is a defect. May keep
   * nothing: the bytes are used again.
   */
  run(data: Buffer): void;
}

export interface FuzzSeed {
  readonly data: Buffer;
  /** Parts that lead to others, start and end; half of the mutations go there. */
  readonly hot?: readonly (readonly [start: number, end: number])[];
}
