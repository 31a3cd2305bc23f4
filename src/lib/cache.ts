import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { CacheEntry } from "./cache-entry.ts";
import { SutureError } from "./error.ts";

/** To be raised when entries are kept in another form. */
const FORMAT = "2";

/** Absolute: $SUTURE_CACHE, else $XDG_CACHE_HOME/suture, else ~/.cache/suture. */
export function cacheDirectory(env: Readonly<NodeJS.ProcessEnv> = process.env): string {
  if (env["SUTURE_CACHE"]) return resolve(env["SUTURE_CACHE"]);
  // The XDG base directory specification: a relative path is to be ignored.
  const xdg = env["XDG_CACHE_HOME"];
  return join(xdg?.startsWith("/") ? xdg : join(homedir(), ".cache"), "suture");
}

/**
 * Things that can be made again, below one directory: `<kind>/<name>`. An entry
 * is a file or a directory, is whole from the moment it can be seen, and is
 * never changed after that.
 */
export class Cache {
  readonly directory: string;
  #isChecked = false;

  constructor(directory: string = cacheDirectory()) {
    this.directory = directory;
  }

  /** The entry for what `parts` say, all of what it is made from. */
  entry(kind: string, parts: readonly (string | Uint8Array)[]): CacheEntry {
    const hash = createHash("sha256").update(FORMAT);
    for (const part of parts) {
      const bytes = typeof part === "string" ? Buffer.from(part) : part;
      hash.update(`${bytes.length}:`).update(bytes);
    }
    const digest = hash.digest("hex");
    return new CacheEntry(join(this.kind(kind), digest.slice(0, 2)), digest.slice(2));
  }

  /** The entry with a name that a reader knows, for instance a kernel's release. */
  named(kind: string, name: string): CacheEntry {
    if (!/^[A-Za-z0-9_+~][A-Za-z0-9_.+~-]{0,199}$/.test(name)) {
      throw new SutureError("BAD_NAME", `not a name for something in the cache: ${JSON.stringify(name.slice(0, 200))}`);
    }
    return new CacheEntry(this.kind(kind), name);
  }

  /**
   * The directory of all entries of a kind; it may not be there yet. Throws
   * `CACHE_OF_ANOTHER_USER`: code that is run, and taken for what ships, comes out of it.
   */
  kind(kind: string): string {
    if (!this.#isChecked) checkOwner(this.directory);
    this.#isChecked = true;
    return join(this.directory, kind);
  }
}

const WRITABLE_BY_ALL = 0o002;

function checkOwner(directory: string): void {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found === undefined) return;
  const isOwn = found.uid === process.geteuid?.() || found.uid === 0;
  if (isOwn && (found.mode & WRITABLE_BY_ALL) === 0) return;
  const what = isOwn ? "the cache can be written to by everybody" : "the cache belongs to another user";
  throw new SutureError("CACHE_OF_ANOTHER_USER", `${what}, who could put other code into it`, {
    where: directory,
    hint: "name a directory of your own with SUTURE_CACHE",
  });
}
