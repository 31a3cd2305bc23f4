import { isUtf8 } from "node:buffer";
import type { DiffText } from "../source/diffs/diff-parse.ts";

/** Diffs of more bytes than this are not kept: of a release's whole difference nobody reads a page. */
const MAX_BYTES = 256 << 10;

/**
 * The diffs as the livepatch keeps them; undefined where they are too large for that. Their files' names are no part
 * of it: the same diffs make the same livepatch.
 */
export function keptDiffs(diffs: readonly DiffText[]): readonly string[] | undefined {
  const size = diffs.reduce((sum, { data }) => sum + data.length, 0);
  if (size > MAX_BYTES) return undefined;
  return diffs.map(({ data }) => Buffer.from(data).toString(isUtf8(data) ? "utf8" : "latin1"));
}
