/** What was done with livepatches, told to the machine's journal with fields. */
import { existsSync } from "node:fs";
import { sendDatagram } from "../../process/os/notify-socket.ts";
import type { NewEvent } from "./history.ts";

/** syslog(3). */
const WARNING = 4;
const INFORMATION = 6;

/**
 * One entry each: `journalctl SUTURE_PATCH=NAME` shows those of a livepatch. Nothing
 * is told, and nothing fails, where there is no journal.
 * @param journal path of the socket. Source: systemd's "Native Journal Protocol"
 */
export function tellJournal(journal: string, events: readonly NewEvent[]): void {
  if (events.length === 0 || !existsSync(journal)) return;
  for (const event of events) sendDatagram(journal, entryOf(event));
}

/** Fields, a line each: a value has none of its own. */
export function entryOf({ verb, patch, target, outcome, code, why, pids = [] }: NewEvent): string {
  const reason = code === undefined ? "" : `: ${code}: ${why ?? ""}`;
  const fields: Readonly<Record<string, string | number | undefined>> = {
    MESSAGE: `${verb} ${patch} (${target}): ${outcome}${reason}`,
    PRIORITY: code === undefined ? INFORMATION : WARNING,
    SYSLOG_IDENTIFIER: "suture",
    SUTURE_VERB: verb,
    SUTURE_PATCH: patch,
    SUTURE_TARGET: target,
    SUTURE_OUTCOME: outcome,
    SUTURE_CODE: code,
    SUTURE_PIDS: pids.length === 0 ? undefined : pids.join(" "),
  };
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${String(value).replace(/\s*\n\s*/g, " ")}\n`)
    .join("");
}
