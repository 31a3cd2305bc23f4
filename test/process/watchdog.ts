/**
 * Ends a test whose thread is blocked in a system call: a limit of vitest's own
 * needs that thread. Traced programs, and commands that are waited for, can do that.
 */
import { Worker } from "node:worker_threads";

export interface Watched {
  /** Counted up by the thread that runs tests. */
  readonly beats: SharedArrayBuffer;
}

const beats = new SharedArrayBuffer(4);
const count = new Int32Array(beats);
const watched: Watched = { beats };
new Worker(new URL("./watchdog-thread.ts", import.meta.url), { workerData: watched }).unref();
setInterval(() => Atomics.add(count, 0, 1), 1000).unref();
