/** The patches by name that lie between two versions of a source package. */
import { type NamedPatch, namedPatch } from "../../fixes/named-patch.ts";
import type { Problem } from "../../lib/error.ts";
import { refusal } from "../../patch/refusal.ts";
import type { PackageVersions, SourcePatch, SourceVersions } from "../../provider/program/source-versions.ts";

/** What lies between two versions, as far as it has names. */
export interface NamedDifference {
  /** In the newer version's order. */
  readonly series: readonly NamedPatch[];
  /** What else differs, and has no boundaries by which it could be told apart. */
  readonly unnamed: readonly Problem[];
}

/** Throws what getting the patches of either version throws. */
export async function namedDifference(versions: SourceVersions, from: string, to: string): Promise<NamedDifference> {
  const [before, after] = [await versions.patches(from), await versions.patches(to)];
  const there = new Map(before.map((each) => [each.name, each]));
  const later = new Map(after.map((each) => [each.name, each]));
  const changed = after.filter(({ name, data }) => there.get(name)?.data.equals(data) === false);
  const gone = before.filter(({ name }) => !later.has(name));
  const [upstreamBefore, upstreamAfter] = [versions.upstreamOf(from), versions.upstreamOf(to)];
  return {
    series: after.filter(({ name }) => !there.has(name)).map(({ name, data }) => namedPatch(name, data)),
    unnamed: [
      ...(upstreamBefore === upstreamAfter ? [] : [newUpstream(versions.name, upstreamBefore, upstreamAfter)]),
      ...changed.map((each) => otherPatch(each, "is another one in the newer version")),
      ...gone.map((each) => otherPatch(each, "is in the newer version no more")),
    ],
  };
}

/** Of a kernel's version, to the newest that there is of its series. */
export async function kernelDifference(
  packages: PackageVersions,
  version: string,
): Promise<NamedDifference & { readonly to: string }> {
  const versions = await packages.of("linux");
  const seriesOf = (each: string): string | undefined => /^\d+\.\d+/.exec(versions.upstreamOf(each))?.[0];
  const to = versions.versions.find((each) => seriesOf(each) === seriesOf(version)) ?? version;
  if (to === version) return { to, series: [], unnamed: [] };
  return { to, ...(await namedDifference(versions, version, to)) };
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
