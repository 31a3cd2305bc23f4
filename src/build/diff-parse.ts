/** The text of diffs, git's or plain unified ones, to one record for each file. */
import { parsePatch, type StructuredPatch } from "diff";
import { SutureError } from "../lib/error.ts";

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
const MAX_BYTES = 64 << 20;

/** Throws `DIFF_EMPTY`, `DIFF_MALFORMED`, `DIFF_TOO_LARGE`. */
export function parseDiff({ name, data }: DiffText): FileDiff[] {
  if (data.length > MAX_BYTES) {
    throw new SutureError("DIFF_TOO_LARGE", `the diff has ${data.length} bytes, of at most ${MAX_BYTES}`, {
      where: name,
    });
  }
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("latin1");
  if (text.includes("\0")) throw malformed(name, "it holds a zero byte, so it is not text");
  let patches: StructuredPatch[];
  try {
    patches = parsePatch(withoutProse(withUnixLines(text)));
  } catch (error) {
    throw malformed(name, error instanceof Error ? error.message : String(error));
  }
  const files = patches
    .filter((patch) => patch.hunks.length > 0 || patch.isGit === true || patch.isBinary === true)
    .map((patch) => fileDiff(name, patch));
  if (files.length > 0) return files;
  const binary = /^Binary files (\S+) and (\S+) differ/m.exec(text);
  if (binary !== null)
    throw new SutureError("DIFF_BINARY", `the diff changes a binary file: ${binary[2]}`, { where: name });
  throw new SutureError("DIFF_EMPTY", "the diff changes nothing", {
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
    oldName: patch.isCreate === true ? undefined : oldName,
    newName: patch.isDelete === true ? undefined : newName,
    isBinary: patch.isBinary === true,
    isRename: patch.isRename === true,
    isCopy: patch.isCopy === true,
    parsed: patch,
  };
}

function nameOf(name: string | undefined): string | undefined {
  return name === undefined || name === "/dev/null" || name === "" ? undefined : name;
}

/** What git and diff write outside hunks. */
const HEADER =
  /^(diff --git |diff -r |Index: |@@ |index |old mode |new mode |deleted file |new file |(dis)?similarity |rename |copy |Binary files )/;

/** The lines of the diff itself: no mail around it, no signature that follows its last hunk, no commentary. */
function withoutProse(text: string): string {
  const lines = text.split("\n");
  const own: string[] = [];
  let [old, now] = [0, 0];
  for (const [i, line] of lines.entries()) {
    if (old > 0 || now > 0) {
      if (line.startsWith("-")) old--;
      else if (line.startsWith("+")) now--;
      else if (!line.startsWith("\\")) [old, now] = [old - 1, now - 1];
      own.push(line);
      continue;
    }
    const hunk = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(line);
    if (hunk !== null) [old, now] = [Number(hunk[1] ?? 1), Number(hunk[2] ?? 1)];
    const isName = line.startsWith("--- ") && lines[i + 1]?.startsWith("+++ ") === true;
    const isSecondName = line.startsWith("+++ ") && lines[i - 1]?.startsWith("--- ") === true;
    if (line === "GIT binary patch") own.push("Binary files differ");
    else if (HEADER.test(line) || isName || isSecondName || line.startsWith("\\ ")) own.push(line);
  }
  return `${own.join("\n")}\n`;
}

/** Lines that all end in CR LF were made so on the way here. */
function withUnixLines(text: string): string {
  const lines = text.split("\n");
  const last = lines.at(-1);
  const whole = last === "" ? lines.slice(0, -1) : lines;
  const isWindows = whole.length > 0 && whole.every((line) => line.endsWith("\r"));
  return isWindows ? text.replaceAll("\r\n", "\n") : text;
}

function malformed(name: string, why: string): SutureError {
  return new SutureError("DIFF_MALFORMED", `not a unified diff: ${why.split("\n", 1)[0]}`, {
    where: name,
    hint: "give a unified diff, for instance of git diff, git show or diff -u",
  });
}
