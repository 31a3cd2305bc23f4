import { isUtf8 } from "node:buffer";
import { basename } from "node:path";
import type { DiffRecord } from "../patch/metadata.ts";
import type { DiffText } from "../source/diffs/diff-parse.ts";

/** Diffs of more bytes than this are not kept: of a release's whole difference nobody reads a page. */
const MAX_BYTES = 256 << 10;

/** The diffs as the livepatch keeps them; undefined where they are too large for that. */
export function diffRecords(diffs: readonly DiffText[]): readonly DiffRecord[] | undefined {
  const size = diffs.reduce((sum, { data }) => sum + data.length, 0);
  if (size > MAX_BYTES) return undefined;
  return diffs.map(({ name, data }) => ({
    name: basename(name),
    text: Buffer.from(data).toString(isUtf8(data) ? "utf8" : "latin1"),
  }));
}
