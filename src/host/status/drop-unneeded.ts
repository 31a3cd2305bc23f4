/** What is installed for a build that is gone, and whose successor runs, is installed no more. */
import type { HostPaths } from "../paths.ts";
import { describeTarget, type Installed } from "../store/installed.ts";
import { HostStore } from "../store/store.ts";
import { machineState } from "./machine.ts";

/** @returns what was dropped, which the history tells as well */
export async function dropUnneeded(paths: HostPaths, signal?: AbortSignal): Promise<readonly Installed[]> {
  const { installed = [] } = await machineState(paths);
  const unneeded = installed.filter(({ state }) => state.kind === "not-needed" && state.isSuccessorRunning);
  if (unneeded.length === 0) return [];
  await HostStore.change(
    paths,
    (store) => {
      const there = new Set(store.installed().map(({ id }) => id));
      for (const { installed: each, state } of unneeded) {
        if (!there.has(each.id)) continue;
        const event = { verb: "drop", patch: each.name, target: describeTarget(each.target), outcome: "done" } as const;
        store.uninstall(each, { ...event, why: `${state.replaced.join(", ")}: another build runs now` });
      }
    },
    { signal },
  );
  return unneeded.map(({ installed: each }) => each);
}
