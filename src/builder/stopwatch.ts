/** Seconds by step, for the result of a build and for the benchmarks. */
export class Stopwatch {
  readonly #started = performance.now();
  #last = this.#started;
  readonly #seconds: Record<string, number> = {};

  /** Ends the present step. */
  lap(step: string): void {
    const now = performance.now();
    this.add(step, (now - this.#last) / 1000);
    this.#last = now;
  }

  /** A part of a step that runs beside others. */
  add(step: string, seconds: number): void {
    this.#seconds[step] = (this.#seconds[step] ?? 0) + seconds;
  }

  /** Runs `work` and adds what it took. */
  time<Result>(step: string, work: () => Result): Result {
    const before = performance.now();
    try {
      return work();
    } finally {
      this.add(step, (performance.now() - before) / 1000);
    }
  }

  seconds(): Readonly<Record<string, number>> {
    return { ...this.#seconds, total: (performance.now() - this.#started) / 1000 };
  }
}
