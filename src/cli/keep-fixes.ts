/** Keeps what was found of the fixes, so that `status` can count them. */
import { type FixRecord, keepFixRecords } from "../host/catch-up/record.ts";
import { hostPaths } from "../host/paths.ts";
import { problemOf, SutureError } from "../lib/error.ts";
import type { CaughtUpSystem } from "./catch-up-report.ts";

/** @returns lines for the reader, where it could not be kept */
export async function keepFixes(systems: readonly CaughtUpSystem[], signal: AbortSignal): Promise<readonly string[]> {
  const found = systems.map(recordOf);
  if (found.length === 0) return [];
  try {
    await keepFixRecords(hostPaths(), found, signal);
    return [];
  } catch (error) {
    if (!(error instanceof SutureError)) throw error;
    return [`what was found is not kept for suture status: ${problemOf(error).what}`];
  }
}

function recordOf({ kind, name, from, to, buildIds, livepatch, cumulative, apart }: CaughtUpSystem): FixRecord {
  const fates = [...(cumulative?.fixes ?? []), ...apart];
  return {
    ...{ kind, name, from, to, buildIds: [...buildIds] },
    livepatch: livepatch?.name,
    inIt: fates.flatMap(({ fix, fate }) => (fate.kind === "in" ? [fix.name] : [])),
    waiting: fates.flatMap(({ fix, fate }) =>
      fate.kind === "left-out" ? [{ name: fix.name, code: fate.problem.code }] : [],
    ),
    notConcerned: fates.filter(({ fate }) => fate.kind === "not-concerned").length,
  };
}
