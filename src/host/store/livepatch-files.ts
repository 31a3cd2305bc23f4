/** The files of installed livepatches: each under its digest, whole from the moment it has that name. */
import { createHash } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { SutureError } from "../../lib/error.ts";
import { attempt, syncFile } from "./database.ts";

/** SHA-256 of all of a file's bytes, hexadecimal. */
export function digestOf(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** One directory. Which of its files count is said by the database. */
export class LivepatchFiles {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Where a file is, or would be. */
  pathOf(digest: string): string {
    return join(this.directory, digest);
  }

  /** On return the file is on the disk, and so is its name. Throws `DISK_FULL`, `NOT_PERMITTED`, `STORE_UNUSABLE`. */
  write(digest: string, data: Uint8Array): void {
    attempt(this.directory, () => {
      mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      syncFile(dirname(this.directory));
      const temporary = this.#temporaryOf(digest);
      rmSync(temporary, { force: true });
      const file = openSync(temporary, "wx", 0o600);
      try {
        for (let done = 0; done < data.length; ) done += writeSync(file, data, done);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(temporary, this.pathOf(digest));
      syncFile(this.directory);
    });
  }

  /** Throws `STORE_DAMAGED` where the file is not there, or not as it was installed. */
  read(digest: string): Buffer {
    const path = this.pathOf(digest);
    const data = attempt(path, () => {
      try {
        return readFileSync(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw error;
      }
    });
    if (data !== undefined && digestOf(data) === digest) return data;
    const what = data === undefined ? "is not there" : "is not as it was installed";
    throw new SutureError("STORE_DAMAGED", `the file of an installed livepatch ${what}`, {
      where: path,
      hint: "install it again: suture uninstall NAME, suture install FILE",
    });
  }

  /** Removes a file, and what was written of it. */
  remove(digest: string): void {
    attempt(this.directory, () => {
      rmSync(this.#temporaryOf(digest), { force: true });
      rmSync(this.pathOf(digest), { force: true });
    });
  }

  #temporaryOf(digest: string): string {
    return join(this.directory, `${digest}.new`);
  }
}
