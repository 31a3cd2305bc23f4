/** What two translation units that are nearly the same have in common at the start of their BTF. */
import { usesOf } from "./records.ts";
import type { Btf } from "./types.ts";

const CHUNK = 4096;

/**
 * The id below which the types of both are the same, without decoding one of
 * them; at least that of the first of their own. gcc writes the types in the
 * order of the source and then, in an order that differs from run to run, the
 * variables and functions.
 */
export function sharedTypes(original: Btf, patched: Btf): number {
  const first = original.base?.count ?? 1;
  const a = original.sections;
  const b = patched.sections;
  if (original.base !== patched.base || a.bytes !== b.bytes) return first;
  const bytes = commonPrefix(a.types, b.types);
  const stringsBefore = original.base?.stringsSize ?? 0;
  const strings = stringsBefore + a.strings.lastIndexOf(0, commonPrefix(a.strings, b.strings) - 1) + 1;

  let highest = 0;
  let shared = 0;
  for (; shared < a.starts.length; shared++) {
    const end = a.starts[shared + 1] ?? a.types.length;
    const kind = original.kind(first + shared);
    if (end > bytes || kind === "variable" || kind === "function" || kind === "section") break;
    const uses = usesOf(a.types, a.starts[shared] as number, a.bytes);
    if (uses.string >= strings) break;
    highest = Math.max(highest, uses.type);
  }
  // One that refers to a later type is the same only if that is, too.
  return highest < first + shared ? first + shared : first;
}

function commonPrefix(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length);
  let at = 0;
  while (at + CHUNK <= length && a.compare(b, at, at + CHUNK, at, at + CHUNK) === 0) at += CHUNK;
  while (at < length && a[at] === b[at]) at++;
  return at;
}
