import { randomBytes } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { namingFullDisk } from "./disk-full.ts";
import { SutureError } from "./error.ts";
import { removeAtExit } from "./temp.ts";

/**
 * Makes `path` a file with these bytes; until it is whole, what was there stays.
 * Throws `DISK_FULL` or `OUTPUT_NOT_WRITABLE`; then nothing was changed.
 */
export async function replaceFile(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}`);
  const forget = removeAtExit(temporary);
  try {
    await writeFile(temporary, data, { flag: "wx" });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    const full = namingFullDisk(error, dirname(path));
    if (full !== error) throw full;
    throw new SutureError("OUTPUT_NOT_WRITABLE", `cannot write a file: ${(error as NodeJS.ErrnoException).code}`, {
      where: path,
      hint: "name a file in a directory that is there and that you can write to",
      cause: error,
    });
  } finally {
    forget();
  }
}
