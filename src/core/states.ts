/** System states: whether a patch may come after those that are in effect (Documentation/livepatch/system-state). */
import type { Patch } from "./patch.ts";
import type { CoreRecord } from "./record.ts";

/** The state that a patch does not handle, as one sentence; undefined where it is compatible. */
export function incompatibleState(record: CoreRecord, patch: Patch): string | undefined {
  const enabled = record.patches.filter((each) => record.layers.some((layer) => layer.patch === each.name));
  for (const earlier of enabled)
    for (const { id, version } of earlier.states) {
      const own = patch.states.find((state) => state.id === id);
      if (own === undefined && patch.replace)
        return `${patch.name} replaces ${earlier.name} and does not know its state ${id}`;
      if (own !== undefined && own.version < version)
        return `${patch.name} has version ${own.version} of state ${id}, ${earlier.name} has version ${version}`;
    }
  return undefined;
}
