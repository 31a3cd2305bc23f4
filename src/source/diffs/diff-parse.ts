/** The text of diffs, git's or plain unified ones, to one record for each file. */
import type { StructuredPatch } from "diff";
import { parsePatch } from "diff/lib/patch/parse.js";
import { SutureError } from "../../lib/error.ts";
import { malformed, ownLines } from "./diff-lines.ts";

/** A diff as it was given. */
export interface DiffText {
  /** For messages: the path it was read from. */
  readonly name: string;
  readonly data: Uint8Array;
}

/** What a diff does to one file. Texts are bytes as latin1 characters: source files have no one encoding. */
export interface FileDiff {
  readonly diff: string;
  /** As written, before -p; undefined for /dev/null. */
  readonly oldName: string | undefined;
  readonly newName: string | undefined;
  readonly isBinary: boolean;
  readonly isRename: boolean;
  readonly isCopy: boolean;
  readonly parsed: StructuredPatch;
}

/** Diffs that a person reviews are a thousandth of it. */
export const MAX_DIFF_BYTES = 64 << 20;

/** Throws `DIFF_BINARY`, `DIFF_EMPTY`, `DIFF_MALFORMED`, `DIFF_TOO_LARGE`. */
export function parseDiff({ name, data }: DiffText): FileDiff[] {
  if (data.length > MAX_DIFF_BYTES) {
    throw new SutureError("DIFF_TOO_LARGE", `the diff has ${data.length} bytes, of at most ${MAX_DIFF_BYTES}`, {
      where: name,
    });
  }
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("latin1");
  if (text.includes("\0")) throw malformed(name, "it holds a zero byte, so it is not text");
  let patches: StructuredPatch[];
  try {
    patches = parsePatch(ownLines(name, text));
  } catch (error) {
    if (error instanceof SutureError) throw error;
    throw malformed(name, error instanceof Error ? error.message : String(error));
  }
  const files = patches
    .filter((patch) => patch.hunks.length > 0 || patch.isGit === true || patch.isBinary === true)
    .map((patch) => fileDiff(name, patch));
  if (files.length > 0) return files;
  const what = text.trim() === "" ? "the diff is empty" : "no change of a file is found in the diff";
  throw new SutureError("DIFF_EMPTY", what, {
    where: name,
    hint: "give a unified diff, for instance of git diff, git show or diff -u",
  });
}

function fileDiff(name: string, patch: StructuredPatch): FileDiff {
  const oldName = nameOf(patch.oldFileName ?? patch.index);
  const newName = nameOf(patch.newFileName ?? patch.index);
  if (oldName === undefined && newName === undefined) {
    throw malformed(name, "a hunk does not say which file it is for");
  }
  return {
    diff: name,
    oldName: patch.isCreate === true || isEpoch(patch.oldHeader, patch.hunks[0]?.oldLines) ? undefined : oldName,
    newName: patch.isDelete === true || isEpoch(patch.newHeader, patch.hunks[0]?.newLines) ? undefined : newName,
    isBinary: patch.isBinary === true,
    isRename: patch.isRename === true,
    isCopy: patch.isCopy === true,
    parsed: patch,
  };
}

function nameOf(name: string | undefined): string | undefined {
  return name === undefined || name === "/dev/null" || name === "" ? undefined : name;
}

/** GNU diff dates a file that is not there to the beginning of time, in whatever zone it is run. */
function isEpoch(header: string | undefined, lines: number | undefined): boolean {
  return lines === 0 && header !== undefined && /^(1970-01-01|1969-12-31) /.test(header);
}
