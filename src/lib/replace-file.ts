import { randomBytes } from "node:crypto";
import { realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { namingFullDisk } from "./disk-full.ts";
import { SutureError } from "./error.ts";
import { removeAtExit } from "./temp.ts";

/**
 * Throws `OUTPUT_NOT_WRITABLE` where `path` is there and is no file that can be
 * replaced, or its directory is not there, and `OUTPUT_IS_INPUT` where it is one of the files that are read:
 * before the work, and before anything is lost.
 */
export async function checkOutput(path: string, inputs: readonly string[]): Promise<void> {
  const output = await stat(path).catch(() => undefined);
  if (output === undefined) {
    const directory = await stat(dirname(path)).catch(() => undefined);
    if (directory?.isDirectory() === true) return;
    throw notWritable(
      path,
      directory === undefined ? "its directory is not there" : "it would lie in what is no directory",
    );
  }
  if (!output.isFile()) throw notWritable(path, output.isDirectory() ? "it is a directory" : "it is no regular file");
  for (const input of inputs) {
    const { dev, ino } = (await stat(input).catch(() => undefined)) ?? {};
    if (dev !== output.dev || ino !== output.ino) continue;
    throw new SutureError("OUTPUT_IS_INPUT", "the file to write is one of those that are read", {
      where: `${path} is ${input}`,
      hint: "name another file with --output",
    });
  }
}

/**
 * Makes `path` a file with these bytes; until it is whole, what was there stays.
 * A link is followed. Throws `DISK_FULL` or `OUTPUT_NOT_WRITABLE`; then nothing
 * was changed.
 */
export async function replaceFile(path: string, data: string | Uint8Array): Promise<void> {
  await checkOutput(path, []);
  const target = await realpath(path).catch(() => path);
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString("hex")}`);
  const forget = removeAtExit(temporary);
  try {
    await writeFile(temporary, data, { flag: "wx" });
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    const full = namingFullDisk(error, dirname(path));
    if (full !== error) throw full;
    throw notWritable(path, (error as NodeJS.ErrnoException).code ?? (error as Error).message, error);
  } finally {
    forget();
  }
}

function notWritable(path: string, why: string, cause?: unknown): SutureError {
  return new SutureError("OUTPUT_NOT_WRITABLE", `cannot write a file: ${why}`, {
    where: path,
    hint: "name a file in a directory that is there and that you can write to",
    cause,
  });
}
