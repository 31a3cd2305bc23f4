/** The files of a source tree as a series makes them, patch after patch; the tree is only read. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SutureError } from "../lib/error.ts";
import { applyFileDiff } from "../source/diffs/diff-apply.ts";
import { type FileDiff, parseDiff } from "../source/diffs/diff-parse.ts";
import { pathOf, stripLevel } from "../source/diffs/diff-paths.ts";
import type { NamedPatch } from "./named-patch.ts";

/** A file before and after one patch. Texts are bytes as latin1 characters; undefined: not there. */
export interface PatchedFile {
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** Where texts come from. */
export interface TextSource {
  readonly tree: string;
  /** Files of which nothing is asked: they change as the patch wants, or do not. */
  readonly isPassedOver: (path: string) => boolean;
}

/** A tree, and patches that were applied to it. */
export class PatchedTexts {
  readonly #source: TextSource;
  /** Of the tree itself, shared by all that begin with it. */
  readonly #originals: Map<string, string | undefined>;
  readonly #texts = new Map<string, string | undefined>();

  constructor(source: TextSource, originals: Map<string, string | undefined> = new Map()) {
    this.#source = source;
    this.#originals = originals;
  }

  /** The same tree without any patch. */
  fresh(): PatchedTexts {
    return new PatchedTexts(this.#source, this.#originals);
  }

  /** Paths that a patch names, as they are now. Throws what parsing throws. */
  pathsOf(patch: NamedPatch): string[] {
    return this.#files(patch).map(({ path }) => path);
  }

  /**
   * Applies a patch: all of it, or nothing where it throws. Throws what parsing and
   * applying a diff throw, `FILE_NOT_IN_SOURCE` and `FILE_ALREADY_THERE`.
   */
  apply(patch: NamedPatch): PatchedFile[] {
    const changed = new Map<string, PatchedFile>();
    for (const { file, path } of this.#files(patch)) {
      if (this.#source.isPassedOver(path)) continue;
      const there = changed.get(path);
      const text = there === undefined ? this.text(path) : there.after;
      const before = there === undefined ? text : there.before;
      changed.set(path, { path, before, after: patched(file, path, text) });
    }
    for (const { path, after } of changed.values()) this.#texts.set(path, after);
    return [...changed.values()];
  }

  /** A file as it is by now. */
  text(path: string): string | undefined {
    if (this.#texts.has(path)) return this.#texts.get(path);
    if (!this.#originals.has(path)) this.#originals.set(path, readIfFile(join(this.#source.tree, path)));
    return this.#originals.get(path);
  }

  #files(patch: NamedPatch): { file: FileDiff; path: string }[] {
    const isThere = (path: string): boolean =>
      this.text(path) !== undefined || existsSync(join(this.#source.tree, path));
    const options = { tree: this.#source.tree, isThere, strip: undefined };
    const files = parseDiff(patch);
    const level = stripLevel(files, options);
    return files.map((file) => ({ file, path: pathOf(file, level, options) }));
  }
}

function patched(file: FileDiff, path: string, text: string | undefined): string | undefined {
  const creates = file.oldName === undefined;
  if (creates && text !== undefined && text !== "")
    throw new SutureError("FILE_ALREADY_THERE", `the patch makes ${path}, which is there`, { where: file.diff });
  if (!creates && text === undefined)
    throw new SutureError("FILE_NOT_IN_SOURCE", `the patch changes ${path}, which is not there`, { where: file.diff });
  if (file.isBinary || file.parsed.hunks.length === 0) return text;
  const after = applyFileDiff(file, path, text);
  return file.newName === undefined ? undefined : after;
}

function readIfFile(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}
