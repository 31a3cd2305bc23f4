import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { namingFullDisk } from "./disk-full.ts";
import { abortReason, throwIfAborted } from "./interrupt.ts";
import { isAlive, startOf } from "./process-life.ts";
import { removeAtExit } from "./temp.ts";

/** How to wait for a lock that another process holds. Aborted, the wait throws the signal's reason. */
export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once if another process holds the lock, before waiting for it. */
  readonly onWait?: ((pid: number) => void) | undefined;
}

const POLL_MILLISECONDS = 100;

/**
 * Runs `work` while this call alone holds the lock file `path`, in an existing
 * directory. The file names its holder; a holder that has ended loses it.
 *
 * It saves doing a thing twice and is no more than that: in the moment in which
 * several processes take over the same dead holder's lock, two may come to hold it.
 */
export async function withLock<Result>(
  path: string,
  work: () => Promise<Result>,
  options: LockOptions = {},
): Promise<Result> {
  const mine = `${path}.${process.pid}.${randomUUID()}`;
  const words = `${process.pid} ${startOf(process.pid) ?? 0} ${randomUUID()}\n`;
  const forgetMine = removeAtExit(mine);
  let forgetLock: (() => void) | undefined;
  try {
    await writeFile(mine, words).catch((error: unknown) => {
      throw namingFullDisk(error, dirname(path));
    });
    await acquire(path, mine, options);
    forgetLock = removeAtExit(path);
    return await work();
  } finally {
    if (forgetLock !== undefined && (await readIfThere(path)) === words) await rm(path, { force: true });
    await rm(mine, { force: true });
    forgetLock?.();
    forgetMine();
  }
}

async function acquire(path: string, mine: string, options: LockOptions): Promise<void> {
  let told = false;
  while (!(await linked(mine, path))) {
    throwIfAborted(options.signal);
    const holder = await readIfThere(path);
    if (holder === undefined) continue;
    const [pid = 0, start = 0] = holder.split(" ").map(Number);
    if (!isAlive(pid, start)) {
      await takeAway(path, holder);
      continue;
    }
    if (!told) options.onWait?.(pid);
    told = true;
    await sleep(POLL_MILLISECONDS, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(
      () => {
        throw abortReason(options.signal as AbortSignal);
      },
    );
  }
}

/** Removes the lock file if it still says `words`. */
async function takeAway(path: string, words: string): Promise<void> {
  const aside = `${path}.${process.pid}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  if ((await readIfThere(aside)) !== words) await linked(aside, path);
  await rm(aside, { force: true });
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
