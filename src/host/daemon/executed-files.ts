/** What is known of files that were executed: each is looked into once. */
import { fstatSync, readlinkSync } from "node:fs";
import { openFileBuildId } from "../../process/maps/file-build-id.ts";
import type { FileIdentity } from "./starting.ts";

/** A file as it was when it was executed. */
export interface ExecutedFile extends FileIdentity {
  /** undefined for a script, and for what has none. */
  readonly buildId: string | undefined;
  /** As this process sees it. */
  readonly path: string;
}

/** A machine on which more are executed has them looked into anew. */
const MOST_FILES = 10_000;

/** By device, inode and the time of the last change: an inode may be another file's later. */
export class ExecutedFiles {
  readonly #known = new Map<string, ExecutedFile>();

  /** @param fd open for reading */
  look(fd: number): ExecutedFile {
    const { dev, ino, ctimeMs } = fstatSync(fd);
    const key = `${dev} ${ino} ${ctimeMs}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const file = { dev, ino, buildId: openFileBuildId(fd), path: readlinkSync(`/proc/self/fd/${fd}`) };
    if (this.#known.size >= MOST_FILES) this.#known.clear();
    this.#known.set(key, file);
    return file;
  }
}
