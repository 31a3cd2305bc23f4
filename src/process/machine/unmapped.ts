/** Libraries that a program has closed, or closed and opened again: their hooks went with them. */

import { fileOf } from "../maps/loaded-objects.ts";
import type { ProcessView } from "../maps/process-view.ts";
import type { Mapping } from "../os/mappings.ts";
import { nativeHook } from "../os/native.ts";
import { findControl } from "../store/find-control.ts";
import { type LoadedPart, readLoadRecord } from "../store/load-record.ts";
import type { SiteRecord } from "../store/record-schema.ts";

/** Names of objects whose patched memory is not there any more. Throws what `findControl` throws. */
export function unmappedObjects(view: ProcessView, where: string): ReadonlySet<string> {
  const found = findControl(view.mappings, view);
  if (found?.record === undefined) return new Set();
  const { sites, extra } = found.record;
  const parts = readLoadRecord(extra, where).patches.flatMap(({ objects }) => objects);
  const gone = parts.filter((part) => {
    if (!isMapped(part, view.mappings)) return true;
    const hooked = sites.filter((site) => objectOf(site.id) === part.name && isHooked(site));
    return hooked.length > 0 && hooked.every((site) => isAnew(site, view));
  });
  return new Set(gone.map(({ name }) => name));
}

/** The object's name in a site's id: `redis-server:sdscatlen,0`. */
export function objectOf(site: string): string {
  return site.slice(0, site.lastIndexOf(":"));
}

function isMapped({ start, file }: LoadedPart, mappings: readonly Mapping[]): boolean {
  return mappings.some((mapping) => mapping.start === start && fileOf(mapping) === file);
}

function isHooked({ original, final }: SiteRecord): boolean {
  return !original.startsWith(final);
}

/** The original bytes where a hook has to be: no change of ours leaves that behind, so that the code was mapped again. */
function isAnew({ hookAt, original }: SiteRecord, view: ProcessView): boolean {
  const { hookLength } = nativeHook();
  return view.read(hookAt, hookLength).toString("hex") === original.slice(0, 2 * hookLength);
}
