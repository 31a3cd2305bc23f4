import { SutureError } from "./error.ts";

const NO_SPACE = "No space left on device";
/** How GNU tar puts it where some of a block went in. */
const TAR_SHORT_WRITE = /: Wrote only \d+ of \d+ bytes/;

/**
 * The error to throw in place of `error`, which happened while something was
 * written below `directory`: `DISK_FULL` naming the directory if there was no
 * room (of the file system or the quota, met by us or by a program that we
 * ran), else `error` itself.
 */
export function namingFullDisk(error: unknown, directory: string): unknown {
  if (!isDiskFull(error)) return error;
  return new SutureError("DISK_FULL", "no space left to write to", {
    where: directory,
    hint: "make room there, or name a directory on another file system with SUTURE_CACHE or TMPDIR",
    cause: error,
  });
}

function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOSPC" || code === "EDQUOT" || code === "DISK_FULL";
}

/** Whether a program that failed says that it did for want of space. */
export function saysDiskFull(output: string): boolean {
  return output.includes(NO_SPACE) || output.includes("Disk quota exceeded") || TAR_SHORT_WRITE.test(output);
}
