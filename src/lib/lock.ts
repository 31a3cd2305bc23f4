import { type FileHandle, open, readFile, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { namingFullDisk } from "./disk-full.ts";
import { SutureError } from "./error.ts";
import { throwIfAborted } from "./interrupt.ts";
import { run } from "./run.ts";
import { removeAtExit } from "./temp.ts";

/** How to wait for a lock that another process holds. Aborted, the wait throws the signal's reason. */
export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once if another process holds the lock, before waiting for it. */
  readonly onWait?: ((pid: number) => void) | undefined;
}

/**
 * Runs `work` while this call alone holds the lock file `path`, in an existing
 * directory: the kernel's lock on the open file (flock(2)), which it takes away
 * from whoever ends. The file says its holder's pid, for those who wait.
 */
export async function withLock<Result>(
  path: string,
  work: () => Promise<Result>,
  options: LockOptions = {},
): Promise<Result> {
  const file = await held(path, options);
  const forget = removeAtExit(path);
  try {
    return await work();
  } finally {
    // Removed while it is held: who waits for it finds that, and makes another.
    if (await isAt(file, path)) await rm(path, { force: true });
    await file.close();
    forget();
  }
}

async function held(path: string, options: LockOptions): Promise<FileHandle> {
  const progress = { isTold: false };
  for (;;) {
    throwIfAborted(options.signal);
    const file = await open(path, "a+", 0o600).catch((error: unknown) => {
      throw namingFullDisk(error, dirname(path));
    });
    try {
      if ((await isLocked(file, path, options, progress)) && (await isAt(file, path))) {
        await file.truncate(0);
        await file.write(`${process.pid}\n`);
        return file;
      }
    } catch (error) {
      await file.close();
      throw namingFullDisk(error, dirname(path));
    }
    await file.close();
  }
}

/** Moments that a holder takes to say who it is. */
const POLL_MILLISECONDS = 10;

/** false where it is to be tried again. */
async function isLocked(
  file: FileHandle,
  path: string,
  { signal, onWait }: LockOptions,
  progress: { isTold: boolean },
): Promise<boolean> {
  if (await flock(["--nonblock"], file, signal)) return true;
  if (!progress.isTold && onWait !== undefined) {
    const pid = Number.parseInt(await readFile(path, "utf8").catch(() => ""), 10);
    if (Number.isNaN(pid)) {
      await sleep(POLL_MILLISECONDS);
      return false;
    }
    onWait(pid);
    progress.isTold = true;
  }
  return await flock([], file, signal);
}

/** Node has no interface for it; the lock is the open file's, so that it outlives the program that asks for it. */
async function flock(options: readonly string[], file: FileHandle, signal: AbortSignal | undefined): Promise<boolean> {
  const { exitCode, stderr } = await run("flock", [...options, "3"], { signal, descriptors: [file.fd] });
  if (exitCode === 0) return true;
  if (exitCode === 1 && stderr === "") return false;
  throw new SutureError("PROGRAM_FAILED", `flock cannot lock a file: ${stderr.trim()}`, {
    hint: "name a directory of a file system with locks with SUTURE_CACHE",
  });
}

/** Whether the open file is the one of that path, which may have been removed and made again. */
async function isAt(file: FileHandle, path: string): Promise<boolean> {
  const there = await stat(path).catch(() => undefined);
  const own = await file.stat();
  return there?.ino === own.ino && there.dev === own.dev;
}
