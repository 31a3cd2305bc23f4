/**
 * Breakpoints by the kernel's uprobes, for machines whose processors' have no effect:
 * an event of one thread (perf_event_open(2), `sigtrap`) at a place in a file's code,
 * where the kernel has a breakpoint instruction of its own while there are any. It
 * takes that out itself when we end. The thread gets SIGTRAP when it has executed the
 * instruction there. Needs CAP_PERFMON.
 */
import { close as closeLater, closeSync, openSync, readFileSync, readSync } from "node:fs";
import { mappingsOf } from "../os/mappings.ts";
import type { ProcessMemory } from "../os/memory.ts";
import { nativeLinux } from "../os/native.ts";
import { disableEvent, enableEvent, openEventAt, type StopPoint } from "../os/perf-event.ts";
import { livingTask } from "../os/thread-list.ts";

const TYPE_FILE = "/sys/bus/event_source/devices/uprobe/type";
/** Of one thread. Each holds a file descriptor. */
const MOST_EVENTS = 64;

interface Place {
  /** NUL-terminated. */
  readonly path: Buffer;
  readonly offset: number;
}

/** Those of one process. To be asked only while the thread in question stands still. */
export class Uprobes implements Disposable {
  readonly #pid: number;
  readonly #memory: ProcessMemory;
  readonly #places = new Map<number, Place | undefined>();
  /**
   * By thread, then by address, disabled while they are not armed. To close one takes the
   * kernel many milliseconds, in which it waits for all that may still be using it, and
   * opens no other: so all are closed at the end.
   */
  readonly #events = new Map<number, Map<number, number>>();
  readonly #ofTheDead: number[] = [];

  constructor(pid: number, memory: ProcessMemory) {
    this.#pid = pid;
    this.#memory = memory;
  }

  [Symbol.dispose](): void {
    for (const tid of [...this.#events.keys()]) this.forget(tid);
    for (const fd of this.#ofTheDead.splice(0)) closeLater(fd);
  }

  /** Of a thread that has ended: another one may have its id. */
  forget(tid: number): void {
    this.#ofTheDead.push(...(this.#events.get(tid)?.values() ?? []));
    this.#events.delete(tid);
  }

  /** undefined where there can be none: code that is of no file, or no privilege for it. */
  set(tid: number, address: number): StopPoint | undefined {
    const events = this.#events.get(tid) ?? new Map<number, number>();
    const known = events.get(address);
    const fd = known ?? (events.size < MOST_EVENTS ? this.#open(tid, address) : undefined);
    if (fd === undefined || (known !== undefined && !enableEvent(fd))) return undefined;
    this.#events.set(tid, events.set(address, fd));
    return { mostPushed: nativeLinux().mostPushed, [Symbol.dispose]: () => disableEvent(fd) };
  }

  #open(tid: number, address: number): number | undefined {
    const type = typeOfUprobes();
    if (type === undefined) return undefined;
    if (!this.#places.has(address)) this.#places.set(address, this.#placeOf(address));
    const place = this.#places.get(address);
    if (place === undefined) return undefined;
    const fd = openEventAt({ type, ...place }, tid);
    return fd < 0 ? undefined : fd;
  }

  /** Only where the process has the code that the file has: what the kernel executes in its place is the file's. */
  #placeOf(address: number): Place | undefined {
    const { trap, longestInstruction } = nativeLinux();
    try {
      const mapping = mappingsOf(this.#pid).find(({ start, end }) => start <= address && address < end);
      if (mapping === undefined || mapping.inode === 0) return undefined;
      const { start, end } = mapping;
      const path = `/proc/${livingTask(this.#pid)}/map_files/${start.toString(16)}-${end.toString(16)}`;
      const offset = address - start + mapping.offset;
      const size = Math.min(longestInstruction, end - address);
      const [inFile, inMemory] = [bytesOf(path, offset, size), this.#memory.tryRead(address, size)];
      if (inMemory === undefined) return undefined;
      // That of somebody else's uprobe, or of ours of a moment ago.
      if (inMemory.subarray(0, trap.length).equals(trap)) inFile.copy(inMemory, 0, 0, trap.length);
      return inFile.equals(inMemory) ? { path: Buffer.from(`${path}\0`), offset } : undefined;
    } catch {
      return undefined;
    }
  }
}

function bytesOf(path: string, offset: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  const fd = openSync(path, "r");
  try {
    readSync(fd, bytes, 0, size, offset);
  } finally {
    closeSync(fd);
  }
  return bytes;
}

let typeKnown: { readonly type: number | undefined } | undefined;

/** The number that this kernel has for them; undefined where it has none. */
function typeOfUprobes(): number | undefined {
  typeKnown ??= { type: readType() };
  return typeKnown.type;
}

function readType(): number | undefined {
  try {
    return Number(readFileSync(TYPE_FILE, "latin1"));
  } catch {
    return undefined;
  }
}
