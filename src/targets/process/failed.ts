/** An error that a verb ended with in one process, as its result. */
import { EXIT, problemOf, SutureError } from "../../lib/error.ts";
import { statusOf } from "../../process/maps/process-view.ts";
import type { VerbResult } from "../verb-result.ts";

/** Throws what is no SutureError. */
export function failedIn(pid: number, error: unknown): VerbResult {
  if (!(error instanceof SutureError)) throw error;
  const outcome = error.exit === EXIT.refused ? "refused" : "failed";
  return { pid, name: nameOf(pid), outcome, problems: [problemOf(error)], notes: [], holders: [] };
}

function nameOf(pid: number): string {
  try {
    return statusOf(pid).name;
  } catch {
    return "a process";
  }
}
