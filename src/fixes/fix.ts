/** Fixes: what a series calls one thing, and what may only go into a system whole. */
import { isSameCommit, type NamedPatch } from "./named-patch.ts";

/** One or more patches that belong together, in the order of their series. */
export interface Fix {
  /** Of its first patch. */
  readonly name: string;
  readonly subject: string | undefined;
  /** Of all its patches. */
  readonly cves: readonly string[];
  /** Places in the series, ascending. */
  readonly patches: readonly number[];
}

/**
 * The fixes of a series. Patches belong together that name the same CVE, or of which
 * one mends another: the first of such alone is known to be wrong, or not all of it.
 */
export function fixesOf(series: readonly NamedPatch[]): Fix[] {
  const groupOf = series.map((_, index) => index);
  const join = (a: number, b: number): void => {
    const [from, to] = [groupOf[a], groupOf[b]].toSorted((x, y) => (y ?? 0) - (x ?? 0));
    for (const [index, group] of groupOf.entries()) if (group === from) groupOf[index] = to as number;
  };
  for (const [later, patch] of series.entries())
    for (const [earlier, other] of series.slice(0, later).entries()) if (belongsTo(patch, other)) join(later, earlier);
  return [...new Set(groupOf)].map((group) => {
    const patches = [...series.keys()].filter((index) => groupOf[index] === group);
    const members = patches.map((index) => series[index] as NamedPatch);
    const [first] = members;
    return {
      name: first?.name ?? "",
      subject: first?.subject,
      cves: [...new Set(members.flatMap(({ cves }) => cves))],
      patches,
    };
  });
}

function belongsTo(later: NamedPatch, earlier: NamedPatch): boolean {
  const mends = later.mends.some((id) => earlier.commits.some((own) => isSameCommit(id, own)));
  return mends || later.cves.some((cve) => earlier.cves.includes(cve));
}
