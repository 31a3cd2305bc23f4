/** A private view of a source tree in which some files are other ones. The tree itself is never written to. */
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { namingFullDisk } from "../lib/disk-full.ts";
import { SutureError } from "../lib/error.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../lib/temp.ts";
import type { ChangedFile } from "./diffs/diff-input.ts";
import { markLines } from "./line-marks.ts";

/** A file as the view shall show it; undefined: not at all. Paths are relative to the tree. */
export interface FileChange {
  readonly path: string;
  readonly text: string | Uint8Array | undefined;
}

/** What compiles run in: a directory with the layout of the tree. */
export interface TreeView {
  readonly directory: string;
  readonly changes: readonly FileChange[];
  /** Of the changes, hexadecimal; made on first use, since it reads all of them. */
  readonly digest: string;
  /**
   * The directories by which a compile that began at `generation` and opened
   * `dependencies` got around the view: `a/b/../x.h` with `a/b` a symlink leads
   * to the tree's own x.h. They are to be passed to `makeReal`.
   */
  escapes(dependencies: readonly string[], generation: number): string[];
  /** Makes directories, and those above them, ones of the view itself. */
  makeReal(directories: readonly string[]): void;
  /** Has another file at a path, in place of a link of the tree. */
  show(path: string, text: string | Uint8Array): void;
  /** How often `makeReal` was called: what failed while it changed may have failed for that. */
  readonly generation: number;
}

const MAX_ATTEMPTS = 8;

/**
 * Runs a compiler in a view until it has read no file around it. `attempt`
 * resolves to its result and to the files that it read, undefined if it failed.
 * Throws `INCLUDE_PATHS_TOO_WINDING`.
 */
export async function readingInView<Result>(
  view: TreeView,
  unit: { readonly source: string },
  attempt: () => Promise<{ readonly result: Result; readonly dependencies: readonly string[] | undefined }>,
): Promise<Result> {
  for (let i = 0; i < MAX_ATTEMPTS; i++) {
    const { generation } = view;
    const { result, dependencies } = await attempt();
    const escapes = view.escapes(dependencies ?? [], generation);
    const isDisturbed = dependencies === undefined && view.generation !== generation;
    if (escapes.length === 0 && !isDisturbed) return result;
    view.makeReal(escapes);
  }
  throw new SutureError("INCLUDE_PATHS_TOO_WINDING", "a changed file is included around the view of the tree", {
    where: unit.source,
    hint: "include the file by a path without ..",
  });
}

/** What a compile is to see of changed files: moved lines keep their numbers, unless `areMoved`. */
export function changesOf(files: readonly ChangedFile[], areMoved = false): FileChange[] {
  return files.map(({ path, original, patched }) => {
    if (patched === undefined) return { path, text: undefined };
    const text = original === undefined || areMoved ? patched : markLines(original, patched);
    return { path, text: Buffer.from(text, "latin1") };
  });
}

const SHARED_MEMORY = "/dev/shm";
/** statfs f_type of tmpfs, linux/magic.h. */
const TMPFS_MAGIC = 0x01021994;

/**
 * An empty directory for a view, in memory where there is room for one: a view
 * is up to thousands of symlinks, which a disk's file system takes a hundred
 * times longer to make and to remove.
 */
export async function viewDirectory(): Promise<TemporaryDirectory> {
  return await temporaryDirectory(inMemory() ? SHARED_MEMORY : tmpdir());
}

const ENOUGH_BYTES = 16 << 20;
const ENOUGH_FILES = 20_000;

function inMemory(): boolean {
  try {
    accessSync(SHARED_MEMORY, constants.W_OK | constants.X_OK);
    const { type, bavail, bsize, ffree } = statfsSync(SHARED_MEMORY);
    return type === TMPFS_MAGIC && bavail * bsize >= ENOUGH_BYTES && ffree >= ENOUGH_FILES;
  } catch {
    return false;
  }
}

/**
 * Lays out a view in `directory`, which is empty: symlinks to the tree's
 * entries, with real directories only from the root to each changed file.
 * Throws `DISK_FULL`.
 */
export function layOutView(tree: string, directory: string, changes: readonly FileChange[]): TreeView {
  const changed = new Map(changes.map((change) => [change.path, change.text]));
  /** By the generation in which they became so. */
  const real = new Map<string, number>();
  let generation = 0;

  const addDirectory = (path: string): void => {
    if (real.has(path)) return;
    const here = join(directory, path);
    if (path !== ".") {
      addDirectory(dirname(path));
      rmSync(here, { force: true });
      mkdirSync(here);
    }
    real.set(path, generation);
    for (const name of namesIn(join(tree, path))) {
      if (!changed.has(join(path, name))) symlinkSync(join(tree, path, name), join(here, name));
    }
  };

  const writing = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      throw namingFullDisk(error, directory);
    }
  };

  writing(() => {
    addDirectory(".");
    for (const { path, text } of changes) {
      if (text === undefined) {
        if (isThere(join(tree, dirname(path)))) addDirectory(dirname(path));
        continue;
      }
      addDirectory(dirname(path));
      writeFileSync(join(directory, path), text);
    }
  });
  let digest: string | undefined;
  return {
    directory,
    changes,
    get digest() {
      digest ??= changesDigest(changes);
      return digest;
    },
    escapes(dependencies, since) {
      const around = dependencies.filter((path) => path.includes("/../") && changed.has(normalize(path)));
      return [...new Set(around.flatMap(directoriesLeft))].filter(
        (path) => (real.get(path) ?? Number.POSITIVE_INFINITY) > since,
      );
    },
    get generation() {
      return generation;
    },
    show(path, text) {
      generation++;
      writing(() => {
        addDirectory(dirname(path));
        rmSync(join(directory, path), { force: true });
        writeFileSync(join(directory, path), text);
      });
    },
    makeReal(directories) {
      if (directories.length > 0) generation++;
      writing(() => {
        for (const path of directories) addDirectory(path);
      });
    },
  };
}

/** Of changes, hexadecimal. */
export function changesDigest(changes: readonly FileChange[]): string {
  const hash = createHash("sha256");
  for (const { path, text } of changes) {
    hash.update(`${path.length} ${path} ${text?.length ?? "gone"} `);
    if (text !== undefined) hash.update(text);
  }
  return hash.digest("hex");
}

/** The directories that a path goes into and leaves by `..`: of `./a/b/../x.h`, `a/b`. */
function directoriesLeft(path: string): string[] {
  const left: string[] = [];
  for (let at = path.indexOf("/../"); at >= 0; at = path.indexOf("/../", at + 1)) {
    left.push(normalize(path.slice(0, at)));
  }
  return left;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
