import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { namingFullDisk } from "./disk-full.ts";
import { SutureError } from "./error.ts";
import { type LockOptions, withLock } from "./lock.ts";
import { isAlive } from "./process-life.ts";
import { removeAtExit } from "./temp.ts";

/** One entry of a `Cache`, there or not. Writing to it throws `DISK_FULL` and leaves nothing half done. */
export class CacheEntry {
  readonly path: string;
  readonly #parent: string;
  readonly #name: string;

  constructor(parent: string, name: string) {
    this.#parent = parent;
    this.#name = name;
    this.path = join(parent, name);
  }

  exists(): boolean {
    return existsSync(this.path);
  }

  /** The bytes of a file entry; undefined if it is not there. */
  async read(): Promise<Buffer | undefined> {
    try {
      return await readFile(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  /** Makes the entry a file with these bytes. Whoever reads sees all of them or no entry. */
  async write(data: string | Uint8Array): Promise<void> {
    await this.#publish((path) => writeFile(path, data));
  }

  /** Makes the entry a file that `make` writes at the path it is given. */
  async makeFile(make: (path: string) => Promise<void>): Promise<void> {
    await this.#publish(make);
  }

  /**
   * Makes the entry a directory that `fill` fills at the path it is given, which
   * is not the final one. If another process has made the same entry meanwhile,
   * that one stays and ours is dropped.
   */
  async makeDirectory(fill: (path: string) => Promise<void>): Promise<void> {
    await this.#publish(async (path) => {
      await mkdir(path);
      await fill(path);
    });
  }

  /** Takes the entry out of sight at once, then removes it. */
  async remove(): Promise<void> {
    const aside = this.#temporaryPath();
    try {
      await rename(this.path, aside);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    await removeTree(aside);
  }

  /** Runs `work` while no other process does so for this entry, having removed what dead ones left half done. */
  async locked<Result>(work: () => Promise<Result>, options: LockOptions = {}): Promise<Result> {
    await this.#makeParent();
    return await withLock(
      join(this.#parent, `.${this.#name}.lock`),
      async () => {
        await this.#sweep();
        return await work();
      },
      options,
    );
  }

  async #publish(make: (path: string) => Promise<void>): Promise<void> {
    await this.#makeParent();
    const path = this.#temporaryPath();
    const forget = removeAtExit(path);
    try {
      await make(path);
      if (!(await moved(path, this.path))) await removeTree(path);
    } catch (error) {
      await removeTree(path);
      throw namingFullDisk(error, this.#parent);
    } finally {
      forget();
    }
  }

  async #makeParent(): Promise<void> {
    try {
      await mkdir(this.#parent, { recursive: true });
    } catch (error) {
      const full = namingFullDisk(error, this.#parent);
      if (full !== error) throw full;
      throw new SutureError("CACHE_NOT_WRITABLE", `cannot make a directory of the cache: ${(error as Error).message}`, {
        where: this.#parent,
        hint: "name a directory that you can write to with SUTURE_CACHE",
        cause: error,
      });
    }
  }

  #temporaryPath(): string {
    return join(this.#parent, `.${this.#name}.${process.pid}.${randomBytes(6).toString("hex")}`);
  }

  /** Removes temporary files of this entry whose maker has ended. */
  async #sweep(): Promise<void> {
    for (const file of await readdir(this.#parent)) {
      if (!file.startsWith(`.${this.#name}.`)) continue;
      const maker = /^(\d+)\.[0-9a-f]{12}$/.exec(file.slice(this.#name.length + 2));
      if (maker !== null && !isAlive(Number(maker[1]))) await removeTree(join(this.#parent, file));
    }
  }
}

/** Renames, unless a directory that is not empty is there already. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTEMPTY" || code === "EEXIST") return false;
    throw error;
  }
}

async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
