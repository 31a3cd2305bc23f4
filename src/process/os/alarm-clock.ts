import koffi from "koffi";

const libc = koffi.load("libc.so.6");
const dlsym = libc.func("uintptr_t dlsym(uintptr_t handle, const char *name)");
const sigaction = libc.func("int sigaction(int signal, void *action, void *old)");
const timerCreate = libc.func("int timer_create(int clock, void *event, void *timer)");
const timerSettime = libc.func("int timer_settime(uintptr_t timer, int flags, void *value, void *old)");
const gettid = libc.func("int gettid()");

/** A real-time signal that neither Node nor the C library uses. */
const SIGNAL = 61;
const CLOCK_MONOTONIC = 1;
const SIGEV_THREAD_ID = 4;
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
    timerSettime(this.#timer, 0, RUNNING, null);
  }

  stop(): void {
    if (--this.#depth === 0 && this.#timer !== undefined) timerSettime(this.#timer, 0, STOPPED, null);
  }
}

/** Of the thread that traces: there is one such thread in a program. */
export const alarmClock = new AlarmClock();

/** `struct itimerspec`: the interval and the first time. */
const RUNNING = Buffer.from(new ArrayBuffer(64));
RUNNING.writeBigInt64LE(PERIOD_NANOSECONDS, 8);
RUNNING.writeBigInt64LE(PERIOD_NANOSECONDS, 24);
const STOPPED = Buffer.from(new ArrayBuffer(64));

function newTimer(): number {
  // The handler has to be machine code that does nothing: abs(3) is.
  const action = Buffer.alloc(152);
  action.writeBigUInt64LE(BigInt(dlsym(0, "abs")));
  sigaction(SIGNAL, action, null);
  const event = Buffer.alloc(64);
  event.writeInt32LE(SIGNAL, 8);
  event.writeInt32LE(SIGEV_THREAD_ID, 12);
  event.writeInt32LE(gettid(), 16);
  const timer = Buffer.alloc(8);
  if (timerCreate(CLOCK_MONOTONIC, event, timer) !== 0) throw new Error(`timer_create: error ${koffi.errno()}`);
  return Number(timer.readBigUInt64LE());
}
