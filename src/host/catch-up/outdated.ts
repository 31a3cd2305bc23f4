/** Programs and libraries that run as an older version than there is. */
import { basename } from "node:path";
import { SutureError } from "../../lib/error.ts";
import { fileBuildId } from "../../process/maps/file-build-id.ts";
import type { ShippedFile } from "../../provider/program/source-package.ts";
import type { SourceVersions } from "../../provider/program/source-versions.ts";
import type { RunningBuild } from "../../targets/process/running-builds.ts";

/** One version of a source package that runs and is not the newest. */
export interface Outdated {
  readonly versions: SourceVersions;
  readonly from: string;
  /** The newest that there is. */
  readonly to: string;
  /** Of its files, those that run. */
  readonly files: readonly (ShippedFile & { readonly buildId: string })[];
  /** Processes that run any of them, ascending. */
  readonly pids: readonly number[];
}

/** A build of which it is not known what version it is. */
export interface UnknownBuild extends RunningBuild {
  /** A patch of which it cannot be told whether it has it. */
  readonly unclear?: string | undefined;
}

/** What runs of a package. */
export interface RunningPackage {
  readonly versions: SourceVersions;
  readonly outdated: readonly Outdated[];
  /** Processes that run the newest version. */
  readonly upToDate: readonly number[];
  /** Builds by names of the package's files that are of no version that there is. */
  readonly unknown: readonly UnknownBuild[];
}

/**
 * Looks at what the installed version ships, and, as long as files of its names run that it does not ship, at
 * the others that the archive has, the newest first; at all of them where nothing is installed.
 */
export async function runningPackage(
  versions: SourceVersions,
  running: readonly RunningBuild[],
): Promise<RunningPackage> {
  const [to = ""] = versions.versions;
  const outdated: Outdated[] = [];
  const known = new Set<string>();
  const names = new Set<string>();
  let upToDate: readonly number[] = [];
  const isUnknown = ({ buildId, paths }: RunningBuild): boolean =>
    !known.has(buildId) && paths.some((path) => names.has(basename(path)));
  const { installed } = versions;
  const others = versions.versions.filter((each) => each !== installed);
  for (const version of installed === undefined ? others : [installed, ...others]) {
    if (installed !== undefined && version !== installed && !running.some(isUnknown)) break;
    const files: Outdated["files"][number][] = [];
    for (const each of await filesThatAreThere(versions, version)) {
      names.add(basename(each.path));
      const buildId = fileBuildId(each.file);
      if (buildId === undefined || known.has(buildId)) continue;
      files.push({ ...each, buildId });
    }
    for (const { buildId } of files) known.add(buildId);
    const ids = new Set(running.map(({ buildId }) => buildId));
    const own = files.filter(({ buildId }) => ids.has(buildId));
    const pids = pidsOf(running.filter(({ buildId }) => own.some((each) => each.buildId === buildId)));
    if (version === to) upToDate = pids;
    else if (own.length > 0) outdated.push({ versions, from: version, to, files: own, pids });
  }
  return { versions, outdated, upToDate, unknown: running.filter(isUnknown) };
}

/** The archive may list a version whose packages it does not have: then nothing is known of what it ships. */
async function filesThatAreThere(versions: SourceVersions, version: string): Promise<readonly ShippedFile[]> {
  try {
    return await versions.files(version);
  } catch (error) {
    const isGone = error instanceof SutureError && ["DOWNLOAD_FAILED", "SOURCE_NOT_IN_ARCHIVE"].includes(error.code);
    if (isGone) return [];
    throw error;
  }
}

function pidsOf(builds: readonly RunningBuild[]): number[] {
  return [...new Set(builds.flatMap(({ pids }) => pids))].sort((a, b) => a - b);
}
