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
  /** Of these, by name, those that change a file which is changed without a name too, and why they wait. */
  readonly barred: ReadonlyMap<string, Problem>;
  /**
   * Fixes that are made for a source that went on beside them: what they need of what changed there without a
   * name cannot be known.
   */
  readonly apart: readonly FixFate[];
  /** What else differs, and has no boundaries by which it could be told apart. */
  readonly unnamed: readonly Problem[];
}

/** Throws what getting the patches of either version throws. */
async function namedDifference(versions: SourceVersions, from: string, to: string): Promise<NamedDifference> {
  const [before, after] = [await versions.patches(from), await versions.patches(to)];
  const there = new Map(before.map((each) => [each.name, each]));
  const later = new Map(after.map((each) => [each.name, each]));
  const series = after.filter(({ name }) => !there.has(name)).map(({ name, data }) => namedPatch(name, data));
  const [upstreamBefore, upstreamAfter] = [versions.upstreamOf(from), versions.upstreamOf(to)];
  if (upstreamBefore !== upstreamAfter) {
    const unnamed = newUpstream(versions.name, upstreamBefore, upstreamAfter);
    const apart = fixesOf(series).map((fix): FixFate => {
      return { fix, needs: [], functions: [], fate: { kind: "left-out", problem: madeFor(fix.name, upstreamAfter) } };
    });
    return { series: [], barred: new Map(), apart, unnamed: [unnamed] };
  }
  const changed = after.filter(({ name, data }) => there.get(name)?.data.equals(data) === false);
  const gone = before.filter(({ name }) => !later.has(name));
  const nameless = [...changed, ...gone, ...changed.map(({ name }) => there.get(name) as SourcePatch)];
  const touched = new Set(nameless.flatMap(({ data }) => filesOf(data)));
  const beside = series.filter(({ data }) => filesOf(data).some((file) => touched.has(file)));
  return {
    series,
    barred: new Map(beside.map(({ name }) => [name, besideNameless(name)])),
    apart: [],
    unnamed: [
      ...changed.map((each) => otherPatch(each, "is another one in the newer version")),
      ...gone.map((each) => otherPatch(each, "is in the newer version no more")),
    ],
  };
}

/** To the newest of some versions whose patches can be had: the archive may list one whose source it does not have. */
export interface NewestDifference extends NamedDifference {
  /** The newest of all where none can be had; the older one itself where none is newer. */
  readonly to: string;
}

/**
 * Where upstream's source has gone on, the fixes that were made before that for the older version's own are still to
 * be had, from the newest version of that source.
 * @param newer the newest first
 */
export async function newestDifference(
  versions: SourceVersions,
  from: string,
  newer: readonly string[],
): Promise<NewestDifference> {
  const newest = await newestOfAny(versions, from, newer);
  const upstream = versions.upstreamOf(from);
  if (versions.upstreamOf(newest.to) === upstream) return newest;
  const same = newer.filter((each) => versions.upstreamOf(each) === upstream);
  if (same.length === 0) return newest;
  const { series, barred, unnamed } = await newestOfAny(versions, from, same);
  const names = new Set(series.map(({ name }) => name));
  const apart = newest.apart.filter(({ fix }) => !names.has(fix.name));
  const all = new Map([...newest.unnamed, ...unnamed].map((each) => [each.what, each]));
  return { series, barred, apart, unnamed: [...all.values()], to: newest.to };
}

async function newestOfAny(
  versions: SourceVersions,
  from: string,
  newer: readonly string[],
): Promise<NewestDifference> {
  const lacking: Problem[] = [];
  for (const to of newer) {
    try {
      const difference = await namedDifference(versions, from, to);
      return { ...difference, to, unnamed: [...lacking.slice(0, 1), ...difference.unnamed] };
    } catch (error) {
      if (!(error instanceof SutureError) || error.code !== "SOURCE_NOT_IN_ARCHIVE") throw error;
      lacking.push(problemOf(error));
    }
  }
  const to = newer[0] ?? from;
  return { to, series: [], barred: new Map(), apart: [], unnamed: lacking.slice(0, 1) };
}

/** Of a kernel's version, among those of its series. */
export async function kernelDifference(packages: PackageVersions, version: string): Promise<NewestDifference> {
  const versions = await kernelVersions(packages, version);
  const own = versions.versions.indexOf(version);
  const newer = versions.versions
    .slice(0, own < 0 ? undefined : own)
    .filter((each) => each !== version && seriesIn(versions.upstreamOf(each)) === seriesIn(version));
  return await newestDifference(versions, version, newer);
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

function besideNameless(name: string): Problem {
  const what = "it changes a file in which a patch has changed, or is gone, that has no name of its own";
  return problem("NO_BOUNDARIES", what, name, "install the newer package, and restart what runs of it");
}

/** Names of the files that a patch changes, without their first directory. */
function filesOf(data: Uint8Array): string[] {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("latin1");
  return [...text.matchAll(/^(?:---|\+\+\+) [^/\s]+\/([^\t\n]+)/gm)].map(([, file]) => (file as string).trimEnd());
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
