/** A file's hunks to its text: at an offset if need be, but never where the lines around them differ. */
import { applyPatch, reversePatch, type StructuredPatchHunk } from "diff";
import { SutureError } from "../lib/error.ts";
import type { FileDiff } from "./diff-parse.ts";

/** What patch(1) lets differ by default. */
const FUZZ = 2;

/**
 * The patched text; `text` undefined: the file is not there. `path` is for
 * messages. Throws `DIFF_FUZZY` or `DIFF_DOES_NOT_APPLY`.
 */
export function applyFileDiff(file: FileDiff, path: string, text: string | undefined): string {
  const patched = applyPatch(text ?? "", file.parsed);
  if (patched !== false) return patched;
  throw doesNotApply(file, path, text ?? "");
}

function doesNotApply(file: FileDiff, path: string, text: string): SutureError {
  const lines = text.split("\n");
  const number = file.parsed.hunks.findIndex((_, i) => !applies(file, text, i + 1));
  const hunk = file.parsed.hunks[Math.max(number, 0)];
  const where = `${file.diff}: ${path}, hunk ${Math.max(number, 0) + 1} of ${file.parsed.hunks.length}`;
  const difference = hunk === undefined ? "" : firstDifference(hunk, lines);
  if (applyPatch(text, file.parsed, { fuzzFactor: FUZZ }) !== false) {
    return new SutureError("DIFF_FUZZY", `the diff applies to ${path} only if lines around its change may differ`, {
      where: `${where}${difference}`,
      hint: "make the diff again for this source, so that nothing has to be guessed",
    });
  }
  const isIn = applyPatch(text, reversePatch(file.parsed)) !== false;
  return new SutureError("DIFF_DOES_NOT_APPLY", `the diff does not apply to ${path}`, {
    where: `${where}${difference}`,
    hint: isIn
      ? "the source has the change already"
      : "make the diff for this source, or add the diffs that it builds upon before it",
  });
}

/** Whether the first `count` hunks apply by themselves. */
function applies(file: FileDiff, text: string, count: number): boolean {
  return applyPatch(text, { ...file.parsed, hunks: file.parsed.hunks.slice(0, count) }) !== false;
}

/** `, line 12: expected "...", found "..."`, at the place that the hunk's header names. */
function firstDifference(hunk: StructuredPatchHunk, lines: readonly string[]): string {
  let line = Math.max(hunk.oldStart, 1);
  for (const each of hunk.lines) {
    if (each.startsWith("+") || each.startsWith("\\")) continue;
    const expected = each.slice(1);
    const found = lines[line - 1];
    if (found !== expected) {
      const said = found === undefined ? "the end of the file" : JSON.stringify(readable(found));
      return `, line ${line}: expected ${JSON.stringify(readable(expected))}, found ${said}`;
    }
    line++;
  }
  return `, line ${hunk.oldStart}`;
}

function readable(latin1: string): string {
  return Buffer.from(latin1, "latin1").toString("utf8").slice(0, 200);
}
