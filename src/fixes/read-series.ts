/** Series of patches as users have them: a directory of quilt's, a mailbox, or commits of a git repository. */
import { statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { SutureError } from "../lib/error.ts";
import { readGivenFile } from "../lib/read-file.ts";
import { run } from "../lib/run.ts";
import { MAX_DIFF_BYTES } from "../source/diffs/diff-parse.ts";
import { type NamedPatch, namedPatch } from "./named-patch.ts";

/** The list of a quilt directory, one patch a line. */
const SERIES = "series";

/**
 * @param given a directory with a `series` file; a mailbox, as `git format-patch --stdout` writes it; or
 * `FROM..TO`, commits of the git repository that the working directory is in, or of `DIR` in `DIR:FROM..TO`
 *
 * Throws `SERIES_UNREADABLE`, and what reading files throws.
 */
export async function readSeries(given: string, signal?: AbortSignal): Promise<NamedPatch[]> {
  const found = statSync(given, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) return await readQuilt(given, signal);
  if (found !== undefined) return await readMailbox(given, signal);
  const range = /^(?:(.*):)?([^:]+\.\.[^:]*)$/.exec(given);
  if (range !== null) return await readRange(range[1] ?? ".", range[2] ?? "", signal);
  throw unreadable(given, "it is neither a directory, nor a file, nor a range of commits (FROM..TO)");
}

/** The names of a quilt series: comments and options of patch(1) left out. */
function seriesNames(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "")
    .map((line) => line.split(/\s+/)[0] ?? "");
}

async function readQuilt(directory: string, signal: AbortSignal | undefined): Promise<NamedPatch[]> {
  const list = [directory, join(directory, "patches"), join(directory, "debian/patches")].find(
    (each) => statSync(join(each, SERIES), { throwIfNoEntry: false })?.isFile() === true,
  );
  if (list === undefined) {
    const patches = (await readdir(directory)).filter((name) => /\.(patch|diff)$/.test(name)).sort();
    if (patches.length === 0 || !patches.every((name) => /^\d/.test(name)))
      throw unreadable(directory, "it has no file `series`, and no patches that are numbered (0001-…)");
    return await readPatches(directory, patches, signal);
  }
  const text = (await readGivenFile(join(list, SERIES), { signal, maxBytes: MAX_DIFF_BYTES })).toString("utf8");
  return await readPatches(list, seriesNames(text), signal);
}

async function readPatches(
  directory: string,
  names: readonly string[],
  signal: AbortSignal | undefined,
): Promise<NamedPatch[]> {
  const all: NamedPatch[] = [];
  for (const name of names)
    all.push(namedPatch(name, await readGivenFile(join(directory, name), { signal, maxBytes: MAX_DIFF_BYTES })));
  return all;
}

async function readMailbox(path: string, signal: AbortSignal | undefined): Promise<NamedPatch[]> {
  const text = (await readGivenFile(path, { signal, maxBytes: MAX_DIFF_BYTES })).toString("latin1");
  const messages = messagesOf(text);
  if (messages.length === 0) throw notASeries(path, text);
  return messages.map((message) => namedPatch(undefined, Buffer.from(message, "latin1")));
}

/** git writes the id of the commit and a date that is always the same before each. */
const MESSAGE = /^From [0-9a-f]{40} Mon Sep 17 00:00:00 2001$/m;

function messagesOf(text: string): string[] {
  const starts = [...text.matchAll(new RegExp(MESSAGE, "gm"))].map(({ index }) => index);
  return starts
    .map((start, i) => text.slice(start, starts[i + 1]))
    .filter((message) => /^(diff --git|--- )/m.test(message));
}

/** What differs between two whole trees has no boundaries: which parts belong together cannot be known. */
function notASeries(path: string, text: string): SutureError {
  const files = [...text.matchAll(/^\+\+\+ /gm)].length;
  const what =
    files > 0 ? `it is one diff, of ${files} files, and does not say what in it belongs together` : "no patch is in it";
  return unreadable(path, what);
}

async function readRange(directory: string, range: string, signal: AbortSignal | undefined): Promise<NamedPatch[]> {
  const args = [
    "-C",
    directory,
    "format-patch",
    "--stdout",
    "--no-signature",
    "--no-renames",
    "--full-index",
    "--no-merges",
    range,
  ];
  const made = await run("git", args, { signal, maxOutput: MAX_DIFF_BYTES });
  if (made.exitCode !== 0)
    throw unreadable(`${directory}: ${range}`, `git says: ${made.stderr.trim().split("\n").at(-1) ?? ""}`);
  const messages = messagesOf(made.bytes.toString("latin1"));
  if (messages.length === 0) throw unreadable(`${directory}: ${range}`, "no commit of it changes a file");
  return messages.map((message) => namedPatch(undefined, Buffer.from(message, "latin1")));
}

function unreadable(where: string, why: string): SutureError {
  return new SutureError("SERIES_UNREADABLE", `not a series of patches: ${why}`, {
    where,
    hint: `a series is a directory of quilt's (debian/patches), a mailbox (git format-patch --stdout FROM..TO), or FROM..TO in a git repository; for one whole diff there is suture build ${basename(where)}`,
  });
}
