import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { namingFullDisk } from "./disk-full.ts";

/** A directory that only this user can read, which is gone when its user is done or the process ends. */
export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

/**
 * Makes one below `parent` (default: TMPDIR). `await using` removes it; so does
 * the end of the process, by an exception or, under `catchInterrupts`, a signal.
 */
export async function temporaryDirectory(parent: string = tmpdir()): Promise<TemporaryDirectory> {
  let path: string;
  try {
    path = await mkdtemp(join(parent, "suture-"));
  } catch (error) {
    throw namingFullDisk(error, parent);
  }
  const forget = removeAtExit(path);
  return {
    path,
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true });
      forget();
    },
  };
}

const doomed = new Set<string>();
let watchingExit = false;

/** Removes all that is to go with the process; what a program still writes into may need it twice. */
export function removeNow(): void {
  for (const each of doomed) {
    try {
      rmSync(each, { recursive: true, force: true, maxRetries: 5, retryDelay: 10 });
    } catch {
      // The next one may still be removed.
    }
  }
}

/** Removes `path`, file or directory, when the process ends, unless the returned function was called before. */
export function removeAtExit(path: string): () => void {
  doomed.add(path);
  if (!watchingExit) {
    watchingExit = true;
    process.on("exit", removeNow);
  }
  return () => doomed.delete(path);
}
