import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { atExit } from "./at-exit.ts";
import { saysDiskFull } from "./disk-full.ts";
import { SutureError } from "./error.ts";
import { abortReason, throwIfAborted } from "./interrupt.ts";
import { ProgramMissing } from "./program-missing.ts";

/** How a program is run: with no shell, and, unless said otherwise, with nothing on its standard input. */
export interface RunOptions {
  readonly cwd?: string | undefined;
  /** Added to this process's environment, in which LC_ALL is C; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Standard input; none (/dev/null) by default. */
  readonly input?: string | Uint8Array | undefined;
  /** Open files of this process that the program gets as its descriptors 3, 4 and so on. */
  readonly descriptors?: readonly number[] | undefined;
  /** Ends the program and everything it started. */
  readonly signal?: AbortSignal | undefined;
  /** After which the program is ended with `PROGRAM_TIMED_OUT`; no limit by default. */
  readonly timeoutSeconds?: number | undefined;
  /** Bytes of standard output, and of standard error, that are kept; default 64 MiB. */
  readonly maxOutput?: number | undefined;
  /** Throw `PROGRAM_FAILED` unless the exit code is 0. */
  readonly check?: boolean | undefined;
}

/** What became of a program that has ended; one of `exitCode` and `endedBy` is null. */
export interface RunResult {
  /** null when a signal ended the program. */
  readonly exitCode: number | null;
  readonly endedBy: NodeJS.Signals | null;
  /** Standard output as it came. */
  readonly bytes: Buffer;
  /** Standard output as text. */
  readonly stdout: string;
  /** Standard error as text, cut off after `maxOutput` bytes. */
  readonly stderr: string;
}

const GRACE_MILLISECONDS = 1000;
const DEFAULT_MAX_OUTPUT = 64 << 20;

/**
 * Runs a program, never through a shell, as the leader of a process group of
 * its own. Resolves whatever its exit code is, unless `check` is set.
 *
 * Throws `PROGRAM_MISSING`, `PROGRAM_FAILED`, `PROGRAM_TIMED_OUT`,
 * `OUTPUT_TOO_LARGE` (more standard output than `maxOutput`), `DISK_FULL` (with
 * `check`), or the reason of `signal`; whenever it throws, the whole process
 * group has been ended.
 */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  throwIfAborted(options.signal);
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, LC_ALL: "C", ...options.env },
    stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe", ...(options.descriptors ?? [])],
    detached: true,
  });
  const group = new ProcessGroup(child);
  const maxOutput = options.maxOutput ?? DEFAULT_MAX_OUTPUT;
  let stopped: unknown;
  const stop = (reason: unknown): void => {
    if (stopped !== undefined) return;
    stopped = reason;
    group.end();
  };
  const onAbort = (): void => stop(abortReason(options.signal as AbortSignal));
  options.signal?.addEventListener("abort", onAbort, { once: true });
  const timer =
    options.timeoutSeconds === undefined
      ? undefined
      : setTimeout(
          () => stop(timedOut(program, args, options.timeoutSeconds as number)),
          options.timeoutSeconds * 1000,
        );
  const stdout = keepUpTo(maxOutput, child.stdout, () => stop(outputTooLarge(program, args, maxOutput)));
  const stderr = keepUpTo(maxOutput, child.stderr, () => {});
  if (options.input !== undefined) {
    // A program may end without reading its input: that is its exit code's business.
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input);
  }
  try {
    const { exitCode, endedBy } = await closed(child);
    if (stopped !== undefined) throw stopped;
    const result = resultOf(exitCode, endedBy, stdout, stderr);
    if (options.check === true && exitCode !== 0) throw failed(program, args, options.cwd, result);
    return result;
  } catch (error) {
    throw isSpawnError(error) ? cannotStart(program, options.cwd, error) : error;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", onAbort);
    group.ended(stopped !== undefined);
  }
}

class ProcessGroup {
  readonly #pid: number | undefined;
  readonly #forget: () => void;
  #killTimer: NodeJS.Timeout | undefined;

  constructor(child: ChildProcess) {
    this.#pid = child.pid;
    this.#forget = atExit("end programs", () => this.kill("SIGKILL"));
  }

  /** Asks to end, and insists after a while. */
  end(): void {
    this.kill("SIGTERM");
    this.#killTimer = setTimeout(() => this.kill("SIGKILL"), GRACE_MILLISECONDS);
  }

  kill(signal: NodeJS.Signals): void {
    if (this.#pid === undefined) return;
    try {
      process.kill(-this.#pid, signal);
    } catch {
      // ESRCH: all of it has ended.
    }
  }

  /** To be called when the leader has ended; what it left behind is killed if `leftovers`. */
  ended(leftovers: boolean): void {
    clearTimeout(this.#killTimer);
    if (leftovers) this.kill("SIGKILL");
    this.#forget();
  }
}

interface Ended {
  readonly exitCode: number | null;
  readonly endedBy: NodeJS.Signals | null;
}

function closed(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode, endedBy) => resolve({ exitCode, endedBy }));
  });
}

/** The chunks of a stream up to a number of bytes; the rest is read and dropped. */
function keepUpTo(limit: number, stream: NodeJS.ReadableStream | null, onMore: () => void): Buffer[] {
  const chunks: Buffer[] = [];
  let kept = 0;
  stream?.on("data", (chunk: Buffer) => {
    const room = limit - kept;
    if (room > 0) chunks.push(chunk.length <= room ? chunk : chunk.subarray(0, room));
    kept += Math.min(chunk.length, room);
    if (chunk.length > room) onMore();
  });
  return chunks;
}

function resultOf(
  exitCode: number | null,
  endedBy: NodeJS.Signals | null,
  stdout: Buffer[],
  stderr: Buffer[],
): RunResult {
  const bytes = Buffer.concat(stdout);
  return {
    exitCode,
    endedBy,
    bytes,
    get stdout() {
      return bytes.toString();
    },
    stderr: Buffer.concat(stderr).toString(),
  };
}

function isSpawnError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && (error as NodeJS.ErrnoException).syscall?.startsWith("spawn") === true;
}

function cannotStart(program: string, cwd: string | undefined, error: NodeJS.ErrnoException): SutureError {
  if (error.code === "ENOENT" && cwd !== undefined && !existsSync(cwd)) {
    return new SutureError("DIRECTORY_MISSING", `cannot run ${program} in a directory that does not exist`, {
      where: cwd,
      cause: error,
    });
  }
  if (error.code !== "ENOENT" && error.code !== "EACCES") {
    return new SutureError("PROGRAM_FAILED", `cannot start ${program}: ${error.code ?? error.message}`, {
      cause: error,
    });
  }
  return new ProgramMissing(program, { cause: error });
}

function failed(program: string, args: readonly string[], cwd: string | undefined, result: RunResult): SutureError {
  const words = result.stderr.trim() === "" ? result.stdout : result.stderr;
  if (saysDiskFull(words)) {
    return new SutureError("DISK_FULL", `${basename(program)} found no space left to write to`, {
      where: cwd ?? process.cwd(),
      hint: "make room there, or name a directory on another file system with SUTURE_CACHE or TMPDIR",
    });
  }
  const how = result.exitCode === null ? `was ended by ${result.endedBy}` : `failed with exit code ${result.exitCode}`;
  return new SutureError("PROGRAM_FAILED", `${basename(program)} ${how}`, {
    where: commandLine(program, args),
    hint: lastLines(words),
  });
}

function timedOut(program: string, args: readonly string[], seconds: number): SutureError {
  return new SutureError("PROGRAM_TIMED_OUT", `${basename(program)} did not end within ${seconds} s`, {
    where: commandLine(program, args),
  });
}

function outputTooLarge(program: string, args: readonly string[], limit: number): SutureError {
  return new SutureError("OUTPUT_TOO_LARGE", `${basename(program)} printed more than ${limit} bytes`, {
    where: commandLine(program, args),
  });
}

function commandLine(program: string, args: readonly string[]): string {
  const line = [program, ...args].join(" ");
  return line.length <= 300 ? line : `${line.slice(0, 300)}…`;
}

/** At most ten lines of what a failed program said, its last ones. */
function lastLines(output: string): string | undefined {
  const lines = output.trimEnd().split("\n").slice(-10);
  return lines.join("\n") === "" ? undefined : lines.map((line) => line.slice(0, 500)).join("\n");
}
