import { libc } from "./libc.ts";

/** A real-time signal that neither Node nor the C library uses. */
const SIGNAL = 61;
const CLOCK_MONOTONIC = 1;
const SIGEV_THREAD_ID = 4;
const SIGACTION_SIZE = 152;
const SIGEVENT_SIZE = 64;
const PERIOD_NANOSECONDS = 2_000_000n;

/**
 * While it runs it interrupts the blocking waits of this thread, every two milliseconds.
 * A tracee may take forever to stop: it sleeps in the kernel and cannot be woken, or
 * it waits for others of ours to be waited for first. A loop that waits without
 * blocking would keep tracees from the processor that they need to stop.
 */
class AlarmClock {
  #timer: number | undefined;
  #depth = 0;

  start(): void {
    if (this.#depth++ > 0) return;
    this.#timer ??= newTimer();
    libc().timerSettime(this.#timer, 0, RUNNING, null);
  }

  stop(): void {
    if (--this.#depth === 0 && this.#timer !== undefined) libc().timerSettime(this.#timer, 0, STOPPED, null);
  }
}

/** Of the thread that traces: there is one such thread in a program. */
export const alarmClock = new AlarmClock();

/** `struct itimerspec`: the interval and the first time, each seconds and nanoseconds. */
const RUNNING = new BigInt64Array([0n, PERIOD_NANOSECONDS, 0n, PERIOD_NANOSECONDS]);
const STOPPED = new BigInt64Array(4);

function newTimer(): number {
  // The handler has to be machine code that does nothing: abs(3) is. It comes first in `struct sigaction`.
  const action = new BigUint64Array(SIGACTION_SIZE / 8);
  action[0] = BigInt(libc().dlsym(0, "abs"));
  libc().sigaction(SIGNAL, action, null);
  // `struct sigevent`: value, signal, how it is told, and whom.
  const event = new Int32Array(SIGEVENT_SIZE / 4);
  event[2] = SIGNAL;
  event[3] = SIGEV_THREAD_ID;
  event[4] = libc().gettid();
  const timer = new BigUint64Array(1);
  if (libc().timerCreate(CLOCK_MONOTONIC, event, timer) !== 0) throw new Error(`timer_create: error ${libc().errno()}`);
  return Number(timer[0]);
}
