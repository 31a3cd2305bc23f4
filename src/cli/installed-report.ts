/** What is installed, and what was done, as lines and as --json prints it. */
import type { HistoryEvent } from "../host/store/history.ts";
import type { InstallResult } from "../host/store/install.ts";
import { describeTarget } from "../host/store/installed.ts";
import { columns } from "./columns.ts";
import type { Json } from "./documents.ts";
import { signerOf } from "./judge-file.ts";
import { localTime } from "./local-time.ts";

/** One line for each livepatch, then what is to be said of it. @param did for instance `installed` */
export function installLines(did: string, results: readonly InstallResult[]): string[] {
  return results.flatMap(({ name, target, outcome, notes }) => {
    const said = { done: did, unchanged: `${did} already`, refused: "refused, nothing was changed" }[outcome];
    const where = target === undefined ? "" : `${describeTarget(target)}: `;
    return [`${where}${name} ${said}`, ...notes.map((note) => `  ${note}`)];
  });
}

/** What --json prints of one. */
export function installResultJson({
  name,
  digest,
  target,
  outcome,
  problems,
  notes,
  trust,
}: InstallResult): Json<"install">["results"][number] {
  return { name, digest, target, outcome, problems, notes, signedBy: trust && signerOf(trust) };
}

/** A line for each event, in columns, with its reason below. Times are local. */
export function historyLines(events: readonly HistoryEvent[]): string[] {
  const rows = events.map(({ at, verb, patch, target, pids, outcome }) => [
    localTime(at),
    verb,
    patch,
    pids.length === 0 ? target : `${target} (${pids.length === 1 ? pids[0] : `${pids.length} processes`})`,
    outcome,
  ]);
  return columns(rows).flatMap((line, index) => {
    const { code, why } = events[index] ?? {};
    const reason = [code, why].filter((text) => text !== undefined && text !== "").join(": ");
    return reason === "" ? [line] : [line, `    ${reason}`];
  });
}
