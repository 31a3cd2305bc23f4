/**
 * What a fix needs of earlier ones, as far as the text tells: the lines that it changes
 * stand among lines of theirs; it changes a function, a type or a variable that they
 * change; it uses what they change or add, or changes what they have come to use. That
 * it builds without them says nothing of that: a lock that one takes in a caller, and
 * another gives up in what is called, have to come together.
 */
import { SutureError } from "../lib/error.ts";
import type { Fix } from "./fix.ts";
import type { NamedPatch } from "./named-patch.ts";
import { PatchedTexts, type TextSource } from "./patched-texts.ts";
import { isShared, type Touched, touchedBy } from "./touched.ts";

/** What the text of a series tells. */
export interface SeriesText {
  /** By fix, which others it needs. */
  readonly needs: readonly ReadonlySet<number>[];
  /** By fix, the paths that it changes; in each, what is there afterwards is of no matter. */
  readonly paths: readonly (readonly string[])[];
}

/** Reads the files that the series names, in the source as it is without it. */
export function readSeriesText(series: readonly NamedPatch[], fixes: readonly Fix[], source: TextSource): SeriesText {
  const start = new PatchedTexts(source);
  const touched: (Touched | undefined)[] = [];
  const paths: string[][] = [];
  const all = start.fresh();
  for (const [index, patch] of series.entries()) {
    try {
      paths.push(all.pathsOf(patch));
      touched.push(touchedBy(all.apply(patch)));
    } catch (error) {
      onlyOfDiffs(error);
      paths[index] ??= [];
      touched.push(undefined);
    }
  }
  const needed = neededBy(series, paths, start);
  const fixOf = new Map(fixes.flatMap(({ patches }, fix) => patches.map((patch) => [patch, fix] as const)));
  const needs = fixes.map(({ patches }, fix) => {
    const others = new Set<number>();
    for (const patch of patches)
      for (let earlier = 0; earlier < patch; earlier++) {
        const [own, theirs] = [touched[patch], touched[earlier]];
        const shares = own !== undefined && theirs !== undefined && isShared(own, theirs);
        const other = fixOf.get(earlier);
        if (other !== undefined && other !== fix && (shares || needed[patch]?.has(earlier) === true)) others.add(other);
      }
    return others;
  });
  return {
    needs,
    paths: fixes.map(({ patches }) => [...new Set(patches.flatMap((patch) => paths[patch] ?? []))]),
  };
}

/** By patch, which earlier ones have to be there so that it applies; none where it does not apply at all. */
function neededBy(
  series: readonly NamedPatch[],
  paths: readonly (readonly string[])[],
  start: PatchedTexts,
): ReadonlySet<number>[] {
  const needed: ReadonlySet<number>[] = [];
  for (const [index, patch] of series.entries()) {
    const isAppliedTo = (places: ReadonlySet<number>): boolean => {
      const before = [...places].sort((a, b) => a - b).map((place) => series[place] as NamedPatch);
      return applies(patch, before, start);
    };
    const sameFiles = [...Array(index).keys()].filter((each) =>
      paths[each]?.some((path) => paths[index]?.includes(path)),
    );
    needed.push(isAppliedTo(new Set()) ? new Set() : fewest(sameFiles, needed, isAppliedTo));
  }
  return needed;
}

/** As few of some places as it takes, each with what it needs itself; none where all of them do not do. */
function fewest(
  places: readonly number[],
  needed: readonly ReadonlySet<number>[],
  isEnough: (places: ReadonlySet<number>) => boolean,
): ReadonlySet<number> {
  const withNeeds = (some: readonly number[]): Set<number> =>
    new Set(some.flatMap((place) => [place, ...(needed[place] ?? [])]));
  // Whatever it is that it lacks then, they do not bring it.
  if (!isEnough(withNeeds(places))) return new Set();
  let some = [...places];
  for (const place of places) {
    const less = some.filter((each) => each !== place);
    if (isEnough(withNeeds(less))) some = less;
  }
  return withNeeds(some);
}

function applies(patch: NamedPatch, before: readonly NamedPatch[], start: PatchedTexts): boolean {
  const texts = start.fresh();
  try {
    for (const each of [...before, patch]) texts.apply(each);
    return true;
  } catch (error) {
    onlyOfDiffs(error);
    return false;
  }
}

/** Throws what is no fault of a diff. */
function onlyOfDiffs(error: unknown): void {
  if (!(error instanceof SutureError)) throw error;
}
