/** The part of a published fix that is code: tests and papers are often changed again by later fixes. */

const FILE = /^(?:diff --git |Index: )|^--- (?=.*\n\+\+\+ )/m;
const NO_CODE = /(?:^|\/)(?:tests?|docs?|Misc\/NEWS\.d|Lib\/test)\//;

export function codeOf(diff: string): string {
  const starts = [...diff.matchAll(new RegExp(FILE, "gm"))].map(({ index }) => index);
  // A file's header may have several of these lines: what holds no hunk belongs to the next.
  const parts: string[] = [];
  let from = starts[0] ?? diff.length;
  for (const next of [...starts.slice(1), diff.length]) {
    const part = diff.slice(from, next);
    if (!/^@@ /m.test(part)) continue;
    parts.push(part);
    from = next;
  }
  return parts.filter((part) => !NO_CODE.test(/^\+\+\+ [^/\s]*\/(\S+)/m.exec(part)?.[1] ?? "")).join("");
}
