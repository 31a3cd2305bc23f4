/** Whether a source has all changes of its diffs already. */
import { reversePatch } from "diff/lib/patch/reverse.js";
import { SutureError } from "../../lib/error.ts";
import { applyFileDiff } from "./diff-apply.ts";
import type { FileDiff } from "./diff-parse.ts";

/** A file of a diff, at its path in the source. */
export interface FileAt {
  readonly file: FileDiff;
  readonly path: string;
}

/**
 * Whether each change can be taken back, the last one first: whether the source is
 * what the diffs lead to. Where that is has to be as certain as where a diff is applied:
 * the same lines may stand in another function. False where there are none.
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
    const before = takenBack(file, path, text);
    if (before === undefined) return false;
    texts.set(path, file.oldName === undefined ? undefined : before);
  }
  return files.length > 0;
}

/** undefined where the file does not have the changes, or it cannot be told where. */
function takenBack(file: FileDiff, path: string, text: string | undefined): string | undefined {
  const { oldName: newName, newName: oldName, parsed } = file;
  try {
    return applyFileDiff({ ...file, oldName, newName, parsed: reversePatch(parsed) }, path, text);
  } catch (error) {
    if (error instanceof SutureError) return undefined;
    throw error;
  }
}
