import { randomBytes } from "node:crypto";
import { link, open, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { namingFullDisk } from "./disk-full.ts";
import { SutureError } from "./error.ts";
import { removeAtExit } from "./temp.ts";

/**
 * Makes a new file that is whole, and on the disk, from the moment it can be seen. What is
 * there already stays as it is, a link too: that is false.
 *
 * @param mode of the file, whatever the umask is
 * Throws `DISK_FULL` or `OUTPUT_NOT_WRITABLE`; then nothing was changed.
 */
export async function createFile(path: string, data: string | Uint8Array, mode: number): Promise<boolean> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}`);
  const forget = removeAtExit(temporary);
  try {
    const file = await open(temporary, "wx", mode);
    try {
      await file.writeFile(data);
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    return await linked(temporary, path);
  } catch (error) {
    const full = namingFullDisk(error, dirname(path));
    if (full !== error) throw full;
    throw new SutureError("OUTPUT_NOT_WRITABLE", `cannot write a file: ${(error as NodeJS.ErrnoException).code}`, {
      where: path,
      hint: "name a file in a directory that is there and that you can write to",
      cause: error,
    });
  } finally {
    await rm(temporary, { force: true });
    forget();
  }
}

/** A rename would take the place of what is there. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  const directory = await open(dirname(to), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
  return true;
}
