/** Which builds of which programs and libraries run, by what processes have in memory. */
import { fileOf, objectMappings } from "../../process/maps/loaded-objects.ts";
import { allProcesses } from "../../process/maps/process-view.ts";
import { readMappings } from "../../process/os/mappings.ts";
import { buildIdsIn, isDenied, isGone, type KnownBuilds } from "./discover.ts";

/** One build, wherever it runs. */
export interface RunningBuild {
  readonly buildId: string;
  /** As processes name its file; several where it runs from several. */
  readonly paths: readonly string[];
  /** Ascending. */
  readonly pids: readonly number[];
}

/** All that run. */
export interface RunningBuilds {
  readonly builds: readonly RunningBuild[];
  /** How many processes this user may not look into. */
  readonly hidden: number;
}

const DELETED = / \(deleted\)$/;

/** Nothing is stopped. @param pids of these processes alone; of all by default */
export function runningBuilds(pids: readonly number[] = allProcesses()): RunningBuilds {
  const known: KnownBuilds = new Map();
  const found = new Map<string, { paths: Set<string>; pids: Set<number> }>();
  let hidden = 0;
  for (const pid of pids.toSorted((a, b) => a - b)) {
    try {
      const mappings = readMappings(pid);
      buildIdsIn(pid, mappings, known);
      for (const mapping of objectMappings(mappings)) {
        const buildId = known.get(fileOf(mapping));
        if (buildId === undefined) continue;
        const build = found.get(buildId) ?? { paths: new Set(), pids: new Set() };
        build.paths.add(mapping.name.replace(DELETED, ""));
        build.pids.add(pid);
        found.set(buildId, build);
      }
    } catch (error) {
      if (isDenied(error)) hidden++;
      else if (!isGone(error)) throw error;
    }
  }
  const builds = [...found].map(([buildId, each]) => ({ buildId, paths: [...each.paths], pids: [...each.pids] }));
  return { builds, hidden };
}
