import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { namingFullDisk } from "./disk-full.ts";
import { SutureError } from "./error.ts";
import { type LockOptions, withLock } from "./lock.ts";
import { isAlive } from "./process-life.ts";
import { run } from "./run.ts";
import { damageBelow, digestOf, type SealKind, seal } from "./seal.ts";
import { removeAtExit } from "./temp.ts";

const DIGEST_BYTES = 32;
const NOT_WRITABLE = new Set([
  "EACCES",
  "ENOENT",
  "EPERM",
  "EROFS",
  "ENOTDIR",
  "EEXIST",
  "EISDIR",
  "ELOOP",
  "ENAMETOOLONG",
]);

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

  /** The bytes that `write` was given; undefined if it is not there, or not whole any more: then it is to be made again. */
  async read(): Promise<Buffer | undefined> {
    let data: Buffer;
    try {
      data = await readFile(this.path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR") return undefined;
      throw error;
    }
    const end = data.length - DIGEST_BYTES;
    if (end < 0) return undefined;
    const bytes = data.subarray(0, end);
    return digestOf(bytes).equals(data.subarray(end)) ? bytes : undefined;
  }

  /** Makes the entry a file that `read` gives these bytes of. Whoever reads sees all of them or no entry. */
  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    await this.#publish((path) => writeFile(path, Buffer.concat([bytes, digestOf(bytes)])));
  }

  /**
   * The path of a file that `make` writes at the path it is given, which is not
   * the final one; made unless it is there and, by a digest beside it, whole.
   */
  async file(make: (path: string) => Promise<void>): Promise<string> {
    const digest = new CacheEntry(this.#parent, `${this.#name}.sha256`);
    const kept = await digest.read();
    if (kept !== undefined) {
      const data = await readFile(this.path).catch(() => undefined);
      if (data !== undefined && digestOf(data).equals(kept)) return this.path;
    }
    await this.#publish(async (path) => {
      await make(path);
      await digest.write(digestOf(await readFile(path)));
    });
    return this.path;
  }

  /**
   * Makes the entry a directory that `fill` fills at the path it is given, which
   * is not the final one, and seals it. If another process has made the same
   * entry meanwhile, that one stays and ours is dropped.
   */
  async makeDirectory(fill: (path: string) => Promise<void>, kind: SealKind = "states"): Promise<void> {
    await this.#publish(async (path) => {
      await mkdir(path);
      await fill(path);
      await seal(path, kind);
      // What is told by times alone has to be on the disk: after a power loss it would be empty, of the right size.
      if (kind === "states") await run("sync", ["--file-system", path]);
    });
  }

  /** The first file of a directory entry that is not as it was made; undefined where it is whole. */
  async damage(): Promise<string | undefined> {
    return await damageBelow(this.path);
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
      await removeTree(path).catch(() => {});
      throw this.#named(error);
    } finally {
      forget();
    }
  }

  async #makeParent(): Promise<void> {
    try {
      await makeDirectories(this.#parent);
    } catch (error) {
      throw this.#named(error);
    }
  }

  /** The error to throw for one that came of writing here. */
  #named(error: unknown): unknown {
    const full = namingFullDisk(error, this.#parent);
    const { code, path } = error as NodeJS.ErrnoException;
    const isOurs = path === undefined || path.startsWith(this.#parent) || this.#parent.startsWith(path);
    if (full !== error || code === undefined || !NOT_WRITABLE.has(code) || !isOurs) return full;
    return new SutureError("CACHE_NOT_WRITABLE", `cannot write to the cache: ${code}`, {
      where: path ?? this.#parent,
      hint: "name a directory that you can write to with SUTURE_CACHE",
      cause: error,
    });
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

/**
 * Makes a directory and those above it. Node's own way to do so does not end
 * where a file system refuses a directory as if the one above it were not there.
 */
async function makeDirectories(path: string): Promise<void> {
  const make = async (): Promise<NodeJS.ErrnoException | undefined> =>
    await mkdir(path).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error,
    );
  let error = await make();
  if (error?.code === "ENOENT" && dirname(path) !== path) {
    await makeDirectories(dirname(path));
    error = await make();
  }
  const isThere = error?.code === "EEXIST" && (await stat(path)).isDirectory();
  if (error !== undefined && !isThere) throw error;
}
