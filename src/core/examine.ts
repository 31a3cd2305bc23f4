/** What can be said against a patch before anything is done. */
import type { Site } from "./machine.ts";
import { type Outcome, refused } from "./outcome.ts";
import type { Patch, PatchObject } from "./patch.ts";
import type { CoreRecord, LoadedPatch } from "./record.ts";
import { incompatibleState } from "./states.ts";

/**
 * Why the patch cannot be enabled on top of the record's: `ALREADY_LOADED`,
 * `PATCH_NOT_COMPATIBLE`, `SITE_MOVED` or `FUNC_TWICE`; undefined where nothing speaks
 * against it. A patch of the record itself, which is disabled, may be asked about.
 */
export function examine(record: CoreRecord, patch: Patch): Outcome | undefined {
  const same = record.patches.find((each) => each.name === patch.name);
  if (same !== undefined && same !== patch)
    return refused(
      "ALREADY_LOADED",
      `a patch ${patch.name} is loaded already`,
      patch.name,
      "enable that one, or unload it first",
    );
  const state = incompatibleState(record, patch);
  if (state !== undefined)
    return refused(
      "PATCH_NOT_COMPATIBLE",
      state,
      patch.name,
      "a later patch has to handle the states of those before it",
    );
  return examineSites(record, patch.name, patch.objects);
}

/** The same for an object that a loaded patch was waiting for: `OBJECT_LOADED`, `SITE_MOVED` or `FUNC_TWICE`. */
export function examineObject(record: CoreRecord, patch: LoadedPatch, object: PatchObject): Outcome | undefined {
  if (patch.objects.some((each) => each.name === object.name))
    return refused(
      "OBJECT_LOADED",
      `${patch.name} has its part for ${object.name} already`,
      object.name,
      "nothing is to be done",
    );
  return examineSites(record, patch.name, [object]);
}

/** A site is the same place in every patch, and has one new version in each. */
function examineSites(record: CoreRecord, patch: string, objects: readonly PatchObject[]): Outcome | undefined {
  const known = new Map<string, Site>();
  for (const { name, objects } of record.patches)
    for (const { site } of name === patch ? [] : objects.flatMap((object) => object.funcs)) known.set(site.id, site);
  const own = new Set<string>();
  for (const { site } of objects.flatMap((object) => object.funcs)) {
    const other = known.get(site.id);
    if (other !== undefined && other.original.entry !== site.original.entry)
      return refused(
        "SITE_MOVED",
        `${site.id} is not where an earlier patch found it`,
        site.id,
        "its object was loaded anew: tell the core first that it was gone",
      );
    if (own.has(site.id))
      return refused("FUNC_TWICE", `${patch} has two versions of ${site.id}`, site.id, "build it again");
    own.add(site.id);
  }
  return undefined;
}
