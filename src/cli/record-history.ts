/** Writes down what a command has done, where anything is written down on this machine, and tells its journal. */
import { existsSync } from "node:fs";
import { hostPaths } from "../host/paths.ts";
import { databasePath } from "../host/store/database-path.ts";
import type { HistoryVerb, NewEvent } from "../host/store/history.ts";
import { problemOf, SutureError } from "../lib/error.ts";
import type { VerbResult } from "../targets/verb-result.ts";

/**
 * One event for the kernel, and one for all processes of a program to which the same happened.
 * What was there already is none. @returns lines for the reader, where it could not be written
 */
export async function recordHistory(
  verb: HistoryVerb,
  patch: string,
  results: readonly VerbResult[],
): Promise<readonly string[]> {
  const events = eventsOf(verb, patch, results);
  const paths = hostPaths();
  // Most commands find none, and need not know how one is read.
  if (events.length === 0) return [];
  if (!existsSync(databasePath(paths))) {
    if (existsSync(paths.journal)) (await import("../host/store/journal.ts")).tellJournal(paths.journal, events);
    return [];
  }
  try {
    const { HostStore } = await import("../host/store/store.ts");
    using store = HostStore.open(paths);
    store?.record(...events);
    return [];
  } catch (error) {
    if (error instanceof SutureError && error.code === "NOT_PERMITTED") return [];
    return [`this was not written to the history: ${problemOf(error).what}`];
  }
}

function eventsOf(verb: HistoryVerb, patch: string, results: readonly VerbResult[]): NewEvent[] {
  const events = new Map<string, NewEvent & { readonly pids: number[] }>();
  for (const { pid, name, outcome, problems } of results) {
    if (outcome === "unchanged") continue;
    const [problem] = problems;
    const key = JSON.stringify([name, outcome, problem?.code]);
    const event = events.get(key) ?? {
      ...{ verb, patch, target: name, outcome, code: problem?.code, why: problem?.what },
      pids: [],
    };
    if (pid !== undefined) event.pids.push(pid);
    events.set(key, event);
  }
  return [...events.values()];
}
