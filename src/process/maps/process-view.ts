/** A process as it can be looked at from outside: nothing is stopped and nothing is changed. */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { SutureError } from "../../lib/error.ts";
import { type Mapping, parseMappings } from "../os/mappings.ts";
import { valueIn } from "../os/processor-features.ts";
import { isOfKernel, livingDirectory } from "../os/thread-list.ts";
import type { KnownSymbols } from "./dynamic.ts";
import type { LoadedObject } from "./loaded-object.ts";
import { loadedObjects } from "./loaded-objects.ts";
import type { ReadMemory } from "./mapped-elf.ts";

/** Fields of /proc/PID/status that say whether a process can be patched: proc_pid_status(5). */
export interface ProcessStatus {
  readonly name: string;
  /** One letter: R, S, D, T, t, Z, X. */
  readonly state: string;
  readonly tracer: number;
  readonly uid: number;
  /** 0 none, 1 strict, 2 filters. */
  readonly seccomp: number;
  /** Bytes of address space in use. */
  readonly virtualSize: number;
}

const AT_ENTRY = 9;

/**
 * What it has read once it keeps, so it is made anew for each look. It holds a
 * descriptor of the process's memory until it is disposed of.
 */
export class ProcessView implements Disposable {
  readonly pid: number;
  readonly status: ProcessStatus;
  readonly mappings: readonly Mapping[];
  readonly #mem: number;
  readonly #known: KnownSymbols;
  #objects: readonly LoadedObject[] | undefined;

  /**
   * @param known shared by the views of many processes that run the same files
   * @param mappings where they were read a moment ago
   *
   * Throws `TARGET_GONE`, `PROC_UNREADABLE`, `PTRACE_DENIED`.
   */
  constructor(pid: number, known: KnownSymbols = new Map(), mappings?: readonly Mapping[]) {
    this.pid = pid;
    this.#known = known;
    this.status = statusOf(pid);
    this.mappings = mappings ?? parseMappings(readProc(pid, "maps").toString("latin1"));
    try {
      this.#mem = openSync(`${livingDirectory(pid)}/mem`, "r");
    } catch (error) {
      throw unreadable(pid, "mem", error, this.status);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#mem);
  }

  /** In the order in which names are looked up. */
  get objects(): readonly LoadedObject[] {
    this.#objects ??= loadedObjects(this.mappings, this.read, this.#entry(), this.#known);
    return this.#objects;
  }

  /** Throws `MEMORY_UNREADABLE`. */
  readonly read: ReadMemory = (address, size) => {
    const data = Buffer.alloc(size);
    let done = 0;
    try {
      while (done < size) {
        const count = readSync(this.#mem, data, done, size - done, address + done);
        if (count === 0) break;
        done += count;
      }
    } catch {
      // What is not mapped: told by the count.
    }
    if (done === size) return data;
    throw new SutureError("MEMORY_UNREADABLE", `${size} bytes at 0x${address.toString(16)} cannot be read`, {
      where: `${this.status.name} (${this.pid})`,
      hint: "the process has ended, or what it maps has changed: try again",
    });
  };

  /** Limit of the address space, bytes; Infinity where there is none. */
  addressSpaceLimit(): number {
    const line = /^Max address space +(\S+)/m.exec(readProc(this.pid, "limits").toString("latin1"));
    return line?.[1] === undefined || line[1] === "unlimited" ? Number.POSITIVE_INFINITY : Number(line[1]);
  }

  #entry(): number {
    return valueIn(readProc(this.pid, "auxv"), AT_ENTRY) ?? 0;
  }
}

/** Pids of all processes that can be seen, but our own. */
export function allProcesses(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid);
}

const FIELDS = {
  State: /^State:\s*(\S*)/m,
  TracerPid: /^TracerPid:\s*(\S*)/m,
  Uid: /^Uid:\s*(\S*)/m,
  Seccomp: /^Seccomp:\s*(\S*)/m,
  VmSize: /^VmSize:\s*(\S*)/m,
} as const;

/** Throws `TARGET_GONE`, `PROC_UNREADABLE`. */
export function statusOf(pid: number): ProcessStatus {
  const text = readProc(pid, "status").toString("utf8");
  const field = (name: keyof typeof FIELDS): string => FIELDS[name].exec(text)?.[1] ?? "";
  const status = {
    name: /^Name:\t(.*)$/m.exec(text)?.[1] ?? "",
    state: field("State"),
    tracer: Number(field("TracerPid")),
    uid: Number(field("Uid")),
    seccomp: Number(field("Seccomp")),
    virtualSize: Number(field("VmSize")) * 1024,
  };
  if (status.state === "Z" || status.state === "X") throw gone(pid);
  return status;
}

function readProc(pid: number, file: string): Buffer {
  try {
    return readFileSync(`${livingDirectory(pid)}/${file}`);
  } catch (error) {
    throw unreadable(pid, file, error);
  }
}

function unreadable(pid: number, file: string, error: unknown, status?: ProcessStatus): SutureError {
  const { code = "" } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ESRCH") {
    if (procIsThere()) return gone(pid);
    return new SutureError("PROC_UNREADABLE", "/proc cannot be read", {
      where: `/proc/${pid}/${file}`,
      hint: "mount it: mount -t proc proc /proc",
      cause: error,
    });
  }
  if (code === "EACCES" || code === "EPERM") {
    const whose = status === undefined ? "" : `; it runs as uid ${status.uid}`;
    return new SutureError("PTRACE_DENIED", `the process ${pid} may not be looked into by this user${whose}`, {
      where: `/proc/${pid}/${file}`,
      hint: process.getuid?.() === 0 ? LOCKED : UNPRIVILEGED,
      cause: error,
    });
  }
  return new SutureError("PROC_UNREADABLE", `/proc says nothing of the process ${pid}: ${code}`, {
    where: `/proc/${pid}/${file}`,
    hint: "try again",
    cause: error,
  });
}

const UNPRIVILEGED =
  "run suture as root, or as the user that the process runs as (kernel.yama.ptrace_scope may have to be 0)";
const LOCKED = "root lacks CAP_SYS_PTRACE here, or a security module forbids it";

function procIsThere(): boolean {
  try {
    readFileSync("/proc/self/stat");
    return true;
  } catch {
    return false;
  }
}

function gone(pid: number): SutureError {
  const what = isOfKernel(pid)
    ? `${pid} is a thread of the kernel, which runs no program`
    : `there is no process ${pid}`;
  return new SutureError("TARGET_GONE", what, {
    where: `/proc/${pid}`,
    hint: "list those that run the program with: suture preflight LIVEPATCH --all",
  });
}
