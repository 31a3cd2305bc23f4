/** A file's hunks to its text: at an offset if need be, but never where the lines around them differ, or where two places would do. */
import type { StructuredPatchHunk } from "diff";
import { applyPatch } from "diff/lib/patch/apply.js";
import { reversePatch } from "diff/lib/patch/reverse.js";
import { SutureError } from "../../lib/error.ts";
import type { FileDiff } from "./diff-parse.ts";
import { type HunkPlace, placeHunks } from "./diff-place.ts";

/** What patch(1) lets differ by default. */
const FUZZ = 2;

/**
 * The patched text; `text` undefined: the file is not there. `path` is for
 * messages. Throws `DIFF_AMBIGUOUS`, `DIFF_FUZZY` or `DIFF_DOES_NOT_APPLY`.
 */
export function applyFileDiff(file: FileDiff, path: string, text: string | undefined): string {
  const source = text ?? "";
  const { hunks } = file.parsed;
  const places = placeHunks(hunks, source);
  const failed = places.findIndex(({ kind }) => kind !== "at");
  if (failed < 0) {
    const placed = hunks.map((hunk, i) => ({ ...hunk, oldStart: lineOf(places[i]) }));
    const patched = applyPatch(source, { ...file.parsed, hunks: placed });
    if (patched !== false) return patched;
  }
  const number = Math.max(failed, 0);
  const hunk = hunks[number];
  const place = places[number];
  const where = `${file.diff}: ${path}, hunk ${number + 1} of ${hunks.length}`;
  if (hunk === undefined || place?.kind !== "ambiguous") throw doesNotApply(file, hunk, { path, text: source, where });
  throw new SutureError("DIFF_AMBIGUOUS", `the diff does not say where in ${path} it belongs`, {
    where: `${where}: line ${hunk.oldStart} is not the place${placesNamed(place.lines)}`,
    hint: "make the diff for this source, with at least three lines around each change",
  });
}

function lineOf(place: HunkPlace | undefined): number {
  return place?.kind === "at" ? place.line : 0;
}

function placesNamed(lines: readonly number[]): string {
  if (lines.length === 0) return ", and it has no line that would tell";
  const [first, ...more] = lines.slice(0, 3);
  return `, and its lines stand at ${[first, ...more].join(", ")}${lines.length > 3 ? " and more" : ""}`;
}

function doesNotApply(
  file: FileDiff,
  hunk: StructuredPatchHunk | undefined,
  { path, text, where }: { readonly path: string; readonly text: string; readonly where: string },
): SutureError {
  const lines = text.split("\n");
  const difference = hunk === undefined ? "" : firstDifference(hunk, lines);
  const { parsed } = file;
  // The library tries each line up to the one that a hunk names.
  const isBeyond = parsed.hunks.some(({ oldStart }) => oldStart > lines.length);
  if (!isBeyond && applyPatch(text, parsed, { fuzzFactor: FUZZ }) !== false) {
    return new SutureError("DIFF_FUZZY", `the diff applies to ${path} only if lines around its change may differ`, {
      where: `${where}${difference}`,
      hint: "make the diff again for this source, so that nothing has to be guessed",
    });
  }
  const isIn = !isBeyond && applyPatch(text, reversePatch(parsed)) !== false;
  return new SutureError("DIFF_DOES_NOT_APPLY", `the diff does not apply to ${path}`, {
    where: `${where}${difference}`,
    hint: isIn
      ? "the source has the change already"
      : "make the diff for this source, or add the diffs that it builds upon before it",
  });
}

/** `, line 12: expected "...", found "..."`, at the place that the hunk's header names. */
function firstDifference(hunk: StructuredPatchHunk, lines: readonly string[]): string {
  if (hunk.oldStart > lines.length) return `, line ${hunk.oldStart}: the file has ${lines.length - 1} lines`;
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
  return Buffer.from(latin1, "latin1").toString("utf8").slice(0, 120);
}
