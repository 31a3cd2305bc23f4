/** Whether a source has all changes of its diffs already. */
import { applyPatch, reversePatch } from "diff";
import type { FileDiff } from "./diff-parse.ts";

/** A file of a diff, at its path in the source. */
export interface FileAt {
  readonly file: FileDiff;
  readonly path: string;
}

/**
 * Whether each change can be taken back, the last one first: whether the source is
 * what the diffs lead to. False where there are none.
 * @param textOf of the source, in latin1; undefined where it has no such file
 */
export async function isAlreadyApplied(
  files: readonly FileAt[],
  textOf: (path: string) => Promise<string | undefined>,
): Promise<boolean> {
  const texts = new Map<string, string | undefined>();
  for (const { file, path } of files.toReversed()) {
    if (!texts.has(path)) texts.set(path, await textOf(path));
    const text = texts.get(path);
    // What was to go is not there.
    if ((file.newName === undefined) !== (text === undefined)) return false;
    // The library tries each line up to the one that a hunk names.
    if (file.parsed.hunks.some(({ newStart }) => newStart > (text ?? "").split("\n").length)) return false;
    const before = applyPatch(text ?? "", reversePatch(file.parsed));
    if (before === false) return false;
    texts.set(path, file.oldName === undefined ? undefined : before);
  }
  return files.length > 0;
}
