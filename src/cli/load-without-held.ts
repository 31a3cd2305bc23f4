/** Loads a livepatch of fixes; where a task stays inside of what one of them changes, all others without that one. */
import type { FixFate, PatchedFunction } from "../fixes/cumulative.ts";
import type { Problem } from "../lib/error.ts";
import type { CaughtUpSystem, LoadedResult } from "./catch-up-report.ts";
import { loadFixes } from "./load-fixes.ts";
import type { VerbRun } from "./run-in-processes.ts";
import type { Choice } from "./target-choice.ts";

/** What was loaded in the end. A fix is left out for one run alone: the next one tries it again. */
export async function loadWithoutHeld(
  system: Omit<CaughtUpSystem, "results">,
  choice: Choice,
  how: VerbRun,
): Promise<CaughtUpSystem> {
  const { progress } = how.context;
  const held = new Map<string, Problem>();
  for (let now = system; ; ) {
    const results = await loadFixes(now, choice, how);
    const more = heldUp(now, results);
    if (more.size === 0 || system.without === undefined) return { ...now, results };
    for (const [fix, problem] of more) held.set(fix, problem);
    progress.note(`${[...more.keys()].join(", ")} is left out, since a task stays inside of what it changes`);
    now = await system.without(held);
  }
}

/** Fixes in the livepatch that kept a load from its end, by name. */
function heldUp(
  { cumulative }: Pick<CaughtUpSystem, "cumulative">,
  results: readonly LoadedResult[],
): ReadonlyMap<string, Problem> {
  const found = new Map<string, Problem>();
  const inIt = (cumulative?.fixes ?? []).filter(({ fate }) => fate.kind === "in");
  // Not where the user has stopped it.
  const late = results.filter(
    ({ outcome, problems }) => outcome === "reversed" && problems.some(({ code }) => code === "DEADLINE"),
  );
  for (const { name, holders } of late)
    for (const { tid, name: task, why, inside } of holders)
      for (const { fix } of inside === undefined ? [] : changing(inside, inIt))
        found.set(fix.name, {
          code: "DEADLINE",
          what: `${task} (${tid}) of ${name} was ${why} as long as it was waited for`,
          where: `${inside?.name} of ${inside?.object}`,
          hint: "run it again with more --timeout; a task that never leaves the function can only be restarted",
        });
  return found;
}

/** Those that change it themselves: not for what they need alone. */
function changing({ object, name }: PatchedFunction, fixes: readonly FixFate[]): FixFate[] {
  const all = fixes.filter(({ functions }) => functions.some((each) => each.object === object && each.name === name));
  const own = all.filter(({ needs }) => !all.some(({ fix }) => needs.includes(fix.name)));
  return own;
}
