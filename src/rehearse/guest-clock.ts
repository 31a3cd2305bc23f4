/**
 * How long a guest has had to get on, on a host that is as busy as it may be.
 * What its program waited for a processor is no time of the guest's; the kernel
 * tells it (Documentation/scheduler/sched-stats.rst: /proc/PID/task/TID/schedstat).
 */
import { readdirSync, readFileSync } from "node:fs";

/** Milliseconds between two looks. */
const PAUSE = 500;
/** At least this part of a time that was not waited for a processor counts, so that a guest that hangs is found on any host. */
const LEAST = 0.02;

/**
 * Counts seconds as a guest has them; it looks twice a second, and runs until it is
 * disposed of. `pid` is the emulator's.
 */
export class GuestClock implements Disposable {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #at = performance.now();
  /** Nanoseconds, by thread. */
  #waited = new Map<string, number>();
  #seconds = 0;

  /** @param onTick called after each look */
  constructor(pid: number, onTick: () => void) {
    this.#pid = pid;
    this.#look();
    this.#seconds = 0;
    this.#timer = setInterval(() => {
      this.#look();
      onTick();
    }, PAUSE);
  }

  /** Since it was begun, or begun again. */
  get seconds(): number {
    return this.#seconds;
  }

  restart(): void {
    this.#seconds = 0;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    // We may have waited ourselves: no look can tell more than its pause.
    const passed = Math.min(now - this.#at, 2 * PAUSE) / 1000;
    this.#at = now;
    let longest = 0;
    const waited = new Map<string, number>();
    for (const [thread, nanoseconds] of waits(this.#pid)) {
      waited.set(thread, nanoseconds);
      longest = Math.max(longest, nanoseconds - (this.#waited.get(thread) ?? nanoseconds));
    }
    this.#waited = waited;
    this.#seconds += Math.max(LEAST * passed, passed - longest / 1e9);
  }
}

/** What each thread has waited for a processor; none where the kernel does not tell. */
function waits(pid: number): [string, number][] {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.map((thread) => {
      const [, waiting] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ");
      return [thread, Number(waiting)];
    });
  } catch {
    return [];
  }
}
