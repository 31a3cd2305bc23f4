import { closeSync, openSync } from "node:fs";
import { SutureError } from "../../lib/error.ts";
import { errno, pread, pwrite } from "./pread.ts";
import { livingDirectory } from "./thread-list.ts";

/** Memory of a process by way of /proc/PID/mem, whatever the pages' protection is; it cannot be written. */
export class ReadableMemory implements Disposable {
  readonly #pid: number;
  protected readonly fd: number;

  /** Throws `TARGET_GONE`, `PTRACE_DENIED`, `PROC_UNREADABLE`. @param mode as open(2) has it */
  constructor(pid: number, mode: "r" | "r+" = "r") {
    this.#pid = pid;
    try {
      this.fd = openSync(`${livingDirectory(pid)}/mem`, mode);
    } catch (error) {
      throw unreachable(pid, error as NodeJS.ErrnoException);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }

  /** undefined where not all of it can be read. */
  tryRead(address: number, size: number): Buffer | undefined {
    const bytes = Buffer.allocUnsafe(size);
    return pread(this.fd, bytes, size, address) === size ? bytes : undefined;
  }

  /** Reads so many bytes to the start of a buffer: how many there were, less than 1 where none can be read. */
  readInto(address: number, into: Buffer, size: number): number {
    return pread(this.fd, into, size, address);
  }

  /** Throws `TARGET_GONE`, or `MEMORY_UNREADABLE` where something of it is not mapped. */
  read(address: number, size: number): Buffer {
    const bytes = Buffer.allocUnsafe(size);
    const count = pread(this.fd, bytes, size, address);
    if (count !== size) throw this.fault("read", count, address, size);
    return bytes;
  }

  protected fault(verb: string, count: number, address: number, size: number): SutureError {
    const number = errno();
    const where = `pid ${this.#pid}, 0x${address.toString(16)}, ${size} bytes`;
    if (count === 0) {
      return new SutureError("TARGET_GONE", "the process is no more", { where, hint: "nothing is left to be done" });
    }
    return new SutureError("MEMORY_UNREADABLE", `cannot ${verb} the memory of the process`, {
      where,
      hint: count > 0 ? `only ${count} bytes of it are mapped` : `error number ${number}: is it mapped?`,
    });
  }
}

/** The same, and it can be written. */
export class ProcessMemory extends ReadableMemory {
  /** Throws `TARGET_GONE`, `PTRACE_DENIED`, `PROC_UNREADABLE`. */
  constructor(pid: number) {
    super(pid, "r+");
  }

  /** In one system call. The count of a write to a process that has died is 0: that is `TARGET_GONE`. */
  write(address: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const count = pwrite(this.fd, bytes, address);
    if (count !== bytes.length) throw this.fault("write", count, address, bytes.length);
  }
}

function unreachable(pid: number, error: NodeJS.ErrnoException): SutureError {
  const where = `/proc/${pid}/mem`;
  if (error.code === "ENOENT" || error.code === "ESRCH") {
    return new SutureError("TARGET_GONE", "the process is no more", { where, hint: "look at the pid", cause: error });
  }
  if (error.code === "EACCES" || error.code === "EPERM") {
    const hint = "become root, or the process's user with the right to trace it (CAP_SYS_PTRACE)";
    return new SutureError("PTRACE_DENIED", "the process may not be traced", { where, hint, cause: error });
  }
  return new SutureError("PROC_UNREADABLE", "the process's memory cannot be opened", {
    where,
    hint: error.message,
    cause: error,
  });
}
