/** The two names of a `diff --git` line, whatever their prefixes are. */

/** Names as they stand in a diff. */
export interface DiffNames {
  readonly old: string;
  readonly now: string;
}

const HEADER = "diff --git ";

/**
 * Undefined where the line can be read in two ways, or has quoted names. Of one file both
 * names are the same, but perhaps for their first directory (`a/` and `b/`, `i/` and `w/`, none).
 */
export function gitNames(line: string): DiffNames | undefined {
  const names = line.slice(HEADER.length);
  if (!line.startsWith(HEADER) || names.includes('"')) return undefined;
  const blanks = [...names.matchAll(/ /g)].map(({ index }) => index);
  const ways = blanks
    .map((at) => ({ old: names.slice(0, at), now: names.slice(at + 1) }))
    .filter(({ old, now }) => old === now || isOneFile(old, now));
  return ways.length === 1 ? ways[0] : undefined;
}

function isOneFile(old: string, now: string): boolean {
  const [before, after] = [old, now].map((name) => name.slice(name.indexOf("/") + 1));
  return old.includes("/") && now.includes("/") && before === after;
}
