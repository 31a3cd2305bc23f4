import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atExit } from "./at-exit.ts";
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

/** Removes `path`, file or directory, when the process ends, unless the returned function was called before. */
export function removeAtExit(path: string): () => void {
  return atExit("remove files", () => {
    try {
      rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 10 });
    } catch {
      // The next one may still be removed.
    }
  });
}
