/** The property of all histories: whatever order things happen in, the laws hold. A file of tests for each half, for two processors. */
import fc from "fast-check";
import { noCounts, Scenario, type ScenarioCounts, type ScenarioOptions } from "./scenario.ts";

/** Random schedules, each with a seed of its own. */
export const INTERLEAVINGS = 50_000;

/** Milliseconds. It is work for a processor of its own, which may have other work too. */
export const PATIENCE = 15 * 60_000;

// Without a bias to small numbers, which would make the same history again.
const anySeed = fc.noBias(fc.integer());
const wishes = fc.integer({ min: 1, max: 6 });
const tasks = fc.integer({ min: 1, max: 4 });
const trouble = fc.constantFrom(0, 0.02, 0.1);

/** Runs them; what they did, so that a test can tell whether they tried what they should. */
export async function tryInterleavings(runs: number, kills: number): Promise<ScenarioCounts> {
  const counts = noCounts();
  const history = fc.record<ScenarioOptions>({ seed: anySeed, wishes, tasks, kills: fc.constant(kills), trouble });
  const holds = fc.asyncProperty(history, async (options) => {
    await new Scenario(options, counts).run();
  });
  await fc.assert(holds, { numRuns: runs });
  return counts;
}
