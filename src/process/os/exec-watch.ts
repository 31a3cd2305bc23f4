/** Tells of every program that is about to be executed on the file systems that are watched: fanotify(7). */
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { SutureError } from "../../lib/error.ts";
import { residentLibc } from "./libc.ts";

/** A file that a process is about to execute, or is executed with: the program, its interpreter, a script. */
export interface ExecEvent {
  readonly pid: number;
  /** Open for reading while it is looked at. */
  readonly fd: number;
}

/** What else there was to know when the events had been taken. */
export interface Taken {
  /** There were more than the kernel keeps: some programs were executed untold. */
  readonly isLost: boolean;
  /** File systems were mounted or unmounted. */
  readonly isMounted: boolean;
}

/** Source: include/uapi/linux/fanotify.h. */
const FAN = {
  cloexec: 0x1,
  nonblock: 0x2,
  unlimitedQueue: 0x10,
  markAdd: 0x1,
  markFlush: 0x80,
  markFilesystem: 0x100,
  openExec: 0x1000,
  overflow: 0x4000,
} as const;
const AT_FDCWD = -100;
/** Bytes of one event, and offsets in it: its length, what it is about, a descriptor, a process. */
const EVENT = { size: 24, length: 0, mask: 8, fd: 16, pid: 20 } as const;
const POLLIN = 1;
const POLLPRI = 2;
const EFD_CLOEXEC = 0o2_000_000;
const EFD_NONBLOCK = 0o4000;
/** struct pollfd: descriptor, then what is asked for and what has come, 16 bits each. */
const POLLFD = 8;
const BUFFER = 1 << 16;

/**
 * Watches from its construction until it is disposed of. Waiting is done by a thread that sleeps in
 * poll(2), so nothing wakes up that nothing has caused; it ends with this process, whichever way that ends.
 */
export class ExecWatch implements Disposable {
  readonly #fd: number;
  readonly #mounts: number;
  readonly #stop: number;
  readonly #buffer = new ArrayBuffer(BUFFER);
  readonly #words = new Int32Array(this.#buffer);
  readonly #masks = new BigUint64Array(this.#buffer);
  readonly #polled = new ArrayBuffer(3 * POLLFD);
  #isMounted = false;
  readonly #onExit = (): void => this.#wake();
  #waiting: Promise<void> | undefined;
  #isOver = false;

  /** Throws `NOT_PERMITTED` where this user may not watch, or the kernel cannot. */
  constructor() {
    const { fanotifyInit, eventfd, errno } = residentLibc();
    this.#fd = fanotifyInit(FAN.cloexec | FAN.nonblock | FAN.unlimitedQueue, constants.O_RDONLY | EFD_CLOEXEC);
    if (this.#fd < 0)
      throw new SutureError("NOT_PERMITTED", `new processes cannot be watched: fanotify_init fails (${errno()})`, {
        hint: "only root may do that, on a kernel with CONFIG_FANOTIFY",
      });
    this.#stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    this.#mounts = openSync("/proc/self/mountinfo", "r");
    // A thread that sleeps would keep the process from ending.
    process.on("exit", this.#onExit);
  }

  /** Waits no more. */
  [Symbol.dispose](): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#wake();
    process.removeListener("exit", this.#onExit);
    const close = (): void => [this.#fd, this.#mounts, this.#stop].forEach((fd) => void closeSync(fd));
    if (this.#waiting === undefined) close();
    else void this.#waiting.finally(close);
  }

  /** Watches the file system that `path` lies on. @returns false where that has none that can be watched */
  add(path: string): boolean {
    const { fanotifyMark } = residentLibc();
    return fanotifyMark(this.#fd, FAN.markAdd | FAN.markFilesystem, BigInt(FAN.openExec), AT_FDCWD, path) === 0;
  }

  /** Watches no file system any more. */
  clear(): void {
    residentLibc().fanotifyMark(this.#fd, FAN.markFlush | FAN.markFilesystem, 0n, AT_FDCWD, null);
  }

  /** Until something is to be taken. @returns false where it was disposed of meanwhile */
  async wait(): Promise<boolean> {
    if (this.#isOver) return false;
    this.#waiting = this.#poll();
    await this.#waiting;
    this.#waiting = undefined;
    return !this.#isOver;
  }

  /** Takes what has come, until there is no more; the file of each event is closed when `see` has looked at it. */
  take(see: (event: ExecEvent) => void): Taken {
    let isLost = false;
    for (;;) {
      const size = this.#read();
      for (let at = 0; at + EVENT.size <= size; at += EVENT.size) {
        const [fd = -1, pid = 0] = [this.#words[(at + EVENT.fd) / 4], this.#words[(at + EVENT.pid) / 4]];
        if (((this.#masks[(at + EVENT.mask) / 8] ?? 0n) & BigInt(FAN.overflow)) !== 0n) isLost = true;
        if (fd < 0) continue;
        try {
          see({ pid, fd });
        } finally {
          closeSync(fd);
        }
      }
      if (size > 0) continue;
      const isMounted = this.#isMounted;
      this.#isMounted = false;
      return { isLost, isMounted };
    }
  }

  /** Bytes of events; 0 where there are none. Each event has the same size, since nothing more was asked for. */
  #read(): number {
    try {
      return readSync(this.#fd, new Uint8Array(this.#buffer));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
      throw error;
    }
  }

  async #poll(): Promise<void> {
    const words = new Int32Array(this.#polled);
    const halves = new Int16Array(this.#polled);
    for (const [index, [fd, events]] of (
      [
        [this.#fd, POLLIN],
        [this.#stop, POLLIN],
        [this.#mounts, POLLPRI],
      ] as const
    ).entries()) {
      words[(index * POLLFD) / 4] = fd;
      halves[(index * POLLFD + 4) / 2] = events;
      halves[(index * POLLFD + 6) / 2] = 0;
    }
    const bytes = new Uint8Array(this.#polled);
    await new Promise<void>((resolve, reject) => {
      residentLibc().poll.async(bytes, 3, -1, (error: unknown) => (error ? reject(error) : resolve()));
    });
    if (halves[(2 * POLLFD + 6) / 2] !== 0) this.#isMounted = true;
  }

  #wake(): void {
    try {
      writeSync(this.#stop, new Uint8Array(BigUint64Array.of(1n).buffer));
    } catch {
      // It is awake already.
    }
  }
}
