/** A kernel of the cache that is not as it was made is the reason for whatever fails with it. */
import { SutureError } from "../../lib/error.ts";
import { damageBelow } from "../../lib/seal.ts";
import type { Kernel } from "../../provider/kernel/kernel.ts";
import { cacheDamaged } from "../../provider/kernel/kernel-store.ts";

/** Not caused by files of the cache, however they are. */
const OTHER_CAUSES = new Set(["INTERRUPTED", "DISK_FULL", "PROGRAM_MISSING", "WRONG_COMPILER"]);

/**
 * What `work` gives, where `isGood` says that it can be believed. Where it
 * cannot, or it fails, the kernel is looked at, all of it: throws
 * `CACHE_DAMAGED` if anything of it has changed since it was made ready.
 */
export async function unlessDamaged<Result>(
  kernel: Kernel,
  work: () => Promise<Result>,
  isGood: (result: Result) => boolean,
): Promise<Result> {
  try {
    const result = await work();
    if (!isGood(result)) await lookAt(kernel);
    return result;
  } catch (error) {
    if (!(error instanceof SutureError && OTHER_CAUSES.has(error.code))) await lookAt(kernel, error);
    throw error;
  }
}

async function lookAt(kernel: Kernel, cause?: unknown): Promise<void> {
  const file = await damageBelow(kernel.directory);
  if (file !== undefined) throw cacheDamaged(kernel.release, file, cause);
}
