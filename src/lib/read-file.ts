/** Files that a user named: nothing is known of them, not even that they end. */
import { constants, read, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { Code } from "./codes.ts";
import { SutureError } from "./error.ts";
import { abortReason, throwIfAborted } from "./interrupt.ts";

/** How much to take, how long to wait, and what to say of a file that cannot be read. */
export interface ReadFileOptions {
  /** More is `FILE_TOO_LARGE`; by default what the largest images and livepatches stay far below. */
  readonly maxBytes?: number | undefined;
  /** Ends waiting for a pipe that nobody writes to. */
  readonly signal?: AbortSignal | undefined;
  /** What the file is, as in `cannot read the livepatch`; default `a file`. */
  readonly what?: string | undefined;
  /** Code of the error where it cannot be read; default `FILE_UNREADABLE`. */
  readonly code?: Code | undefined;
  readonly hint?: string | undefined;
}

const MAX_BYTES = 1 << 30;
const CHUNK = 1 << 20;
/** process.stdin would make a pipe of others one that does not wait. */
const STANDARD_INPUT = 0;
const RETRY_MILLISECONDS = 10;

/**
 * All bytes of a file or a pipe; `-` is standard input. Devices, directories and
 * sockets are none that can be read to their end.
 *
 * Throws `FILE_TOO_LARGE`, the reason of `signal`, and `code` for all else.
 */
export async function readGivenFile(path: string, options: ReadFileOptions = {}): Promise<Buffer> {
  const { signal, maxBytes = MAX_BYTES } = options;
  throwIfAborted(signal);
  const reading = path === "-" ? readAll(STANDARD_INPUT, maxBytes) : opened(path, maxBytes);
  // What is left waiting in the kernel ends with this process.
  reading.catch(() => {});
  try {
    return await orAborted(reading, signal);
  } catch (error) {
    if (error instanceof TooLarge)
      throw new SutureError("FILE_TOO_LARGE", `the file has more than ${maxBytes} bytes`, { where: path });
    if (error instanceof SutureError) throw error;
    throw new SutureError(
      options.code ?? "FILE_UNREADABLE",
      `cannot read ${options.what ?? "a file"}: ${reasonOf(error)}`,
      { where: path, hint: options.hint, cause: error },
    );
  }
}

const readDescriptor = promisify(read);

class TooLarge extends Error {}

/** It is looked at before it is opened: opening a device can do things. */
async function opened(path: string, maxBytes: number): Promise<Buffer> {
  const kind = unreadableKind(await stat(path));
  if (kind !== undefined) throw new Error(kind);
  const handle = await open(path, constants.O_RDONLY | constants.O_NOCTTY);
  try {
    return await readAll(handle, maxBytes);
  } finally {
    await handle.close();
  }
}

function unreadableKind(it: Stats): string | undefined {
  if (it.isDirectory()) return "it is a directory";
  if (it.isCharacterDevice() || it.isBlockDevice()) return "it is a device";
  return it.isSocket() ? "it is a socket" : undefined;
}

async function readAll(from: FileHandle | number, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK);
    const bytesRead = await readSome(from, chunk);
    if (bytesRead === 0) return Buffer.concat(chunks, total);
    total += bytesRead;
    if (total > maxBytes) throw new TooLarge();
    chunks.push(chunk.subarray(0, bytesRead));
  }
}

async function readSome(from: FileHandle | number, chunk: Buffer): Promise<number> {
  if (typeof from !== "number") return (await from.read(chunk, 0, chunk.length, null)).bytesRead;
  for (;;) {
    try {
      return (await readDescriptor(from, chunk, 0, chunk.length, null)).bytesRead;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EOF") return 0;
      // A pipe that somebody else has made one that does not wait.
      if (code !== "EAGAIN") throw error;
      await sleep(RETRY_MILLISECONDS);
    }
  }
}

async function orAborted<Value>(work: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return await work;
  let onAbort: (() => void) | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        onAbort = () => reject(abortReason(signal));
        signal.addEventListener("abort", onAbort);
      }),
    ]);
  } finally {
    if (onAbort !== undefined) signal.removeEventListener("abort", onAbort);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EISDIR: "it is a directory",
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  ELOOP: "its link leads round in a circle",
};

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined ? message : (REASONS[code] ?? code);
}
