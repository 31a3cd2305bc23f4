/** The patches by name that lie between two versions of a source package. */
import type { FixFate } from "../../fixes/cumulative.ts";
import { fixesOf } from "../../fixes/fix.ts";
import { type NamedPatch, namedPatch } from "../../fixes/named-patch.ts";
import { type Problem, problemOf, SutureError } from "../../lib/error.ts";
import { refusal } from "../../patch/refusal.ts";
import type { PackageVersions, SourcePatch, SourceVersions } from "../../provider/program/source-versions.ts";

/** What lies between two versions, as far as it has names. */
export interface NamedDifference {
  /** In the newer version's order. */
  readonly series: readonly NamedPatch[];
  /**
   * Fixes that are made for a source that went on beside them: what they need of what changed there without a
   * name cannot be known.
   */
  readonly apart: readonly FixFate[];
  /** What else differs, and has no boundaries by which it could be told apart. */
  readonly unnamed: readonly Problem[];
}

/** Throws what getting the patches of either version throws. */
export async function namedDifference(versions: SourceVersions, from: string, to: string): Promise<NamedDifference> {
  const [before, after] = [await versions.patches(from), await versions.patches(to)];
  const there = new Map(before.map((each) => [each.name, each]));
  const later = new Map(after.map((each) => [each.name, each]));
  const series = after.filter(({ name }) => !there.has(name)).map(({ name, data }) => namedPatch(name, data));
  const [upstreamBefore, upstreamAfter] = [versions.upstreamOf(from), versions.upstreamOf(to)];
  if (upstreamBefore !== upstreamAfter) {
    const unnamed = newUpstream(versions.name, upstreamBefore, upstreamAfter);
    const apart = fixesOf(series).map((fix): FixFate => {
      return { fix, needs: [], fate: { kind: "left-out", problem: madeFor(fix.name, upstreamAfter) } };
    });
    return { series: [], apart, unnamed: [unnamed] };
  }
  const changed = after.filter(({ name, data }) => there.get(name)?.data.equals(data) === false);
  const gone = before.filter(({ name }) => !later.has(name));
  return {
    series,
    apart: [],
    unnamed: [
      ...changed.map((each) => otherPatch(each, "is another one in the newer version")),
      ...gone.map((each) => otherPatch(each, "is in the newer version no more")),
    ],
  };
}

/**
 * Of a kernel's version, to the newest of its series whose patches can be had. Throws what getting the
 * patches of the older one throws.
 */
export async function kernelDifference(
  packages: PackageVersions,
  version: string,
): Promise<NamedDifference & { readonly to: string }> {
  const versions = await kernelVersions(packages, version);
  const seriesOf = (each: string): string | undefined => seriesIn(versions.upstreamOf(each));
  const own = versions.versions.indexOf(version);
  const newer = versions.versions
    .slice(0, own < 0 ? undefined : own)
    .filter((each) => seriesOf(each) === seriesOf(version) && each !== version);
  const lacking: Problem[] = [];
  for (const to of newer) {
    try {
      await versions.patches(to);
    } catch (error) {
      if (!(error instanceof SutureError) || error.code !== "SOURCE_NOT_IN_ARCHIVE") throw error;
      if (lacking.length === 0) lacking.push(problemOf(error));
      continue;
    }
    const difference = await namedDifference(versions, version, to);
    return { ...difference, to, unnamed: [...lacking, ...difference.unnamed] };
  }
  return { to: version, series: [], apart: [], unnamed: lacking };
}

/** Debian has a second series beside a release's own under a name with its number. */
async function kernelVersions(packages: PackageVersions, version: string): Promise<SourceVersions> {
  const series = seriesIn(version) ?? "";
  const own = await packages.of("linux");
  if (own.versions.some((each) => seriesIn(own.upstreamOf(each)) === series)) return own;
  return await packages.of(`linux-${series}`);
}

function seriesIn(version: string): string | undefined {
  return /^\d+\.\d+/.exec(version)?.[0];
}

function newUpstream(name: string, from: string, to: string): Problem {
  const what = `upstream's own source went from ${from} to ${to}, and what changed there has no names and no boundaries here`;
  return problem(
    "NO_BOUNDARIES",
    what,
    name,
    "take the commits from upstream's repository: suture catch-up --series REPOSITORY:FROM..TO",
  );
}

function madeFor(name: string, upstream: string): Problem {
  const what = `it is made for upstream's ${upstream}, and what it needs of what changed there cannot be known`;
  return problem("NO_BOUNDARIES", what, name, "install the newer package, and restart what runs of it");
}

function otherPatch({ name }: SourcePatch, what: string): Problem {
  return problem(
    "NO_BOUNDARIES",
    `the patch ${name} ${what}`,
    name,
    "install the newer package, and restart what runs of it",
  );
}

function problem(...args: Parameters<typeof refusal>): Problem {
  const { code, what, where, hint } = refusal(...args);
  return { code, what, where, hint };
}
