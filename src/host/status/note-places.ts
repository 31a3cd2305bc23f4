/** Where the builds that installed livepatches are for lie on this machine: it is noted while they run. */
import { fileBuildId } from "../../process/maps/file-build-id.ts";
import { fileOf, objectMappings } from "../../process/maps/loaded-objects.ts";
import { allProcesses } from "../../process/maps/process-view.ts";
import { type Mapping, readMappings } from "../../process/os/mappings.ts";
import { buildIdsIn, type KnownBuilds } from "../../targets/process/discover.ts";
import type { HostStore } from "../store/store.ts";

/**
 * Looks at all processes that may be looked into. A path counts where the file that lies there now is that build: one
 * of another mount namespace may be any file here, and one that was replaced before anybody looked is not known.
 */
export function notePlaces(store: HostStore): void {
  const programs = store.installed().filter(({ target }) => target.kind === "program");
  if (programs.length === 0) return;
  const seen = placesOf(new Set(programs.flatMap(buildIdsFor)));
  if (seen.size > 0) for (const each of programs) store.addPlaces(each, seen);
}

function buildIdsFor({ target }: ReturnType<HostStore["installed"]>[number]): string[] {
  return target.kind === "program" ? target.objects.map(({ buildId }) => buildId) : [];
}

/** By build-id, paths from which it runs. */
function placesOf(wanted: ReadonlySet<string>): ReadonlyMap<string, ReadonlySet<string>> {
  const known: KnownBuilds = new Map();
  const places = new Map<string, Set<string>>();
  for (const pid of allProcesses())
    for (const { id, name } of objectsOf(pid, known)) {
      const there = places.get(id);
      if (!wanted.has(id) || there?.has(name) === true || fileBuildId(name) !== id) continue;
      places.set(id, (there ?? new Set()).add(name));
    }
  return places;
}

/** None of a process that has ended, or may not be looked into. */
function objectsOf(pid: number, known: KnownBuilds): { readonly id: string; readonly name: string }[] {
  let mappings: readonly Mapping[];
  try {
    mappings = readMappings(pid);
    buildIdsIn(pid, mappings, known);
  } catch {
    return [];
  }
  return objectMappings(mappings).flatMap((mapping) => {
    const id = known.get(fileOf(mapping));
    return id === undefined ? [] : [{ id, name: mapping.name }];
  });
}
