/** Diffs to changed files: what they are before and after, and what of it cannot be patched. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { SutureError } from "../../lib/error.ts";
import type { Note } from "../../patch/metadata.ts";
import type { Refusal } from "../../patch/refusal.ts";
import { type FileAt, isAlreadyApplied } from "./already-applied.ts";
import { applyFileDiff } from "./diff-apply.ts";
import { notBuilt, renamedRefusal } from "./diff-findings.ts";
import { type DiffText, type FileDiff, parseDiff } from "./diff-parse.ts";
import { type PathOptions, pathOf, stripLevel } from "./diff-paths.ts";
import type { FileKind, FileRules } from "./file-rules.ts";
import type { ObjectChange, ObjectLine } from "./makefile-objects.ts";

/** A file that code is compiled from. Texts are bytes as latin1 characters; undefined: not there. */
export interface ChangedFile {
  readonly path: string;
  readonly kind: "source" | "header";
  readonly original: string | undefined;
  readonly patched: string | undefined;
}

/** A Makefile in which nothing changes but which objects are on its lists. */
export interface ChangedMakefile {
  readonly path: string;
  readonly patched: string;
  readonly change: ObjectChange;
}

/** All diffs together, applied in their order. Where there are refusals nothing of it is built. */
export interface DiffInput {
  /** Sources and headers whose text changes, by path. */
  readonly files: readonly ChangedFile[];
  /** Where `rules` know of Makefiles' lists: the objects on them have their sources among the files, which come or go with them. */
  readonly makefiles: readonly ChangedMakefile[];
  readonly refusals: readonly Refusal[];
  /** What the diffs change beside them, which no livepatch is made of. */
  readonly notes: readonly Note[];
}

/** What the diffs are held against. */
export interface DiffOptions {
  /** The source tree that the diffs are for. */
  readonly tree: string;
  /** The tree's files that belong to the kernel although they lie among programs. */
  readonly isUnit: (path: string) => Promise<boolean>;
  /** Parts of the tree that this configuration cannot build and that may not be there. */
  readonly leftOut: readonly string[];
  /** How many leading directories of the names to drop; found out by default. */
  readonly strip?: number | undefined;
  /** What its files are. */
  readonly rules: FileRules;
}

/**
 * Applies the diffs in order. Throws what parsing and applying them throws,
 * `BAD_DIFF_PATH`, `DIFF_BINARY`, `FILE_NOT_IN_SOURCE` and `FILE_ALREADY_THERE`;
 * `DIFF_ALREADY_APPLIED` where the source is what the diffs lead to.
 */
export async function readDiffs(diffs: readonly DiffText[], options: DiffOptions): Promise<DiffInput> {
  const { rules } = options;
  const originals = new Map<string, string | undefined>();
  const texts = new Map<string, string | undefined>();
  const kinds = new Map<string, FileKind>();
  const refusals: Refusal[] = [];
  const notes = new Map<string, Note>();
  const isThere = (path: string): boolean => texts.get(path) !== undefined || existsSync(join(options.tree, path));
  const paths = { tree: options.tree, isThere, strip: options.strip };
  const applied: FileAt[] = [];
  /** The first thing that was wrong. */
  let failed: unknown;
  for (const { file, level } of diffs.flatMap((diff) => levelled(parseDiff(diff), paths))) {
    const path = pathOf(file, level, paths);
    if (options.leftOut.some((part) => path.startsWith(`${part}/`)) && rules.kindOf(path) !== "not-code") {
      notes.set(path, notBuilt(path));
      continue;
    }
    const kind = (await options.isUnit(path)) ? "source" : rules.kindOf(path);
    const note = rules.note(path, kind);
    if (note !== undefined) {
      notes.set(path, note);
      continue;
    }
    if (file.isBinary)
      throw new SutureError("DIFF_BINARY", `the diff changes a binary file: ${path}`, { where: file.diff });
    if (file.isRename || file.isCopy) {
      refusals.push(renamedRefusal(file.oldName ?? "", file.newName ?? "", file.isCopy));
      continue;
    }
    if (!texts.has(path)) {
      const original = await readIfThere(join(options.tree, path), path, file.diff);
      originals.set(path, original);
      texts.set(path, original);
      kinds.set(path, kind);
    }
    applied.push({ file, path });
    try {
      texts.set(path, patchedText(file, path, texts.get(path)));
    } catch (error) {
      failed ??= error;
      if (!mayBeIn(error)) throw failed;
    }
  }
  if (failed !== undefined) {
    // What is refused was not looked for.
    if (
      refusals.length === 0 &&
      (await isAlreadyApplied(applied, (path) => readIfThere(join(options.tree, path), path, path)))
    )
      throw new SutureError("DIFF_ALREADY_APPLIED", "the source has all changes of the diff already", {
        where: applied.map(({ path }) => path).join(", "),
        hint: "nothing has to be patched",
      });
    throw failed;
  }
  const files: ChangedFile[] = [];
  const makefiles: ChangedMakefile[] = [];
  const comesAndGoes = (makefile: string, { added, removed }: ObjectChange): boolean => {
    const sourceOf = ({ object }: ObjectLine) => normalize(join(dirname(makefile), object.replace(/o$/, "c")));
    const isNew = (path: string) => originals.get(path) === undefined && texts.get(path) !== undefined;
    const isGone = (path: string) => originals.get(path) !== undefined && texts.get(path) === undefined;
    return added.every((line) => isNew(sourceOf(line))) && removed.every((line) => isGone(sourceOf(line)));
  };
  for (const [path, patched] of texts) {
    const original = originals.get(path);
    if (original === patched) continue;
    const kind = kinds.get(path);
    const finding = rules.ofTexts?.(path, original ?? "", patched ?? "");
    if (finding !== undefined) refusals.push(finding);
    const change = kind === "makefile" ? rules.objects?.(original ?? "", patched ?? "") : undefined;
    if (change !== undefined && patched !== undefined && comesAndGoes(path, change))
      makefiles.push({ path, patched, change });
    else if (kind === "source" || kind === "header") files.push({ path, kind, original, patched });
    else if (kind !== undefined && kind !== "not-code" && kind !== "other-architecture") {
      refusals.push(rules.refusal(path, kind));
    }
  }
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { files, makefiles, refusals, notes: [...notes.values()] };
}

function levelled(files: readonly FileDiff[], paths: PathOptions): { file: FileDiff; level: number }[] {
  const level = stripLevel(files, paths);
  return files.map((file) => ({ file, level }));
}

/** Whether an error may be that the source is what the diff leads to. */
function mayBeIn(error: unknown): boolean {
  const codes: readonly string[] = [
    "DIFF_DOES_NOT_APPLY",
    "FILE_ALREADY_THERE",
    "FILE_NOT_IN_SOURCE",
    "DIFF_AMBIGUOUS",
  ];
  return error instanceof SutureError && codes.includes(error.code);
}

function patchedText(file: FileDiff, path: string, text: string | undefined): string | undefined {
  const creates = file.oldName === undefined;
  if (creates && text !== undefined && text !== "") {
    throw new SutureError("FILE_ALREADY_THERE", `the diff makes ${path}, which the source has already`, {
      where: file.diff,
      hint: "the source may have the change already",
    });
  }
  if (!creates && text === undefined) {
    throw new SutureError("FILE_NOT_IN_SOURCE", `the diff changes ${path}, which the source does not have`, {
      where: file.diff,
      hint: "make the diff for this source; -p says how many leading directories of its names to drop",
    });
  }
  const patched = applyFileDiff(file, path, text);
  return file.newName === undefined ? undefined : patched;
}

async function readIfThere(file: string, path: string, diff: string): Promise<string | undefined> {
  try {
    return await readFile(file, "latin1");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (code === "EISDIR" || code === "ENAMETOOLONG") {
      const what = code === "EISDIR" ? `${path} is a directory of the source` : "the name of a file is too long";
      throw new SutureError("BAD_DIFF_PATH", what, { where: diff, hint: "the diff may be damaged" });
    }
    throw error;
  }
}
