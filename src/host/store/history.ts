/** What was done with livepatches on this machine, and what came of it. */
import type { DatabaseSync } from "node:sqlite";
import * as v from "valibot";

/**
 * Commands by their own names; `boot` is a load by `suture boot`, `start` one into a new process;
 * `leave-out` is that a boot died of it, `drop` that nothing needs it any more, `revert` that it
 * did harm and was taken away.
 */
export const HISTORY_VERBS = [
  "install",
  "uninstall",
  "load",
  "enable",
  "disable",
  "force",
  "signal",
  "unload",
  "boot",
  "start",
  "leave-out",
  "drop",
  "revert",
] as const;

/** What was done. */
export type HistoryVerb = (typeof HISTORY_VERBS)[number];

const stored = v.object({
  /** Milliseconds since 1970. */
  at: v.number(),
  /** The kernel's boot id. */
  boot: v.string(),
  /** One of `HISTORY_VERBS`, or of a later version's. */
  verb: v.string(),
  patch: v.string(),
  /** The kernel with its release, or a program. */
  target: v.string(),
  /** As `VerbResult` has it. */
  outcome: v.string(),
  /** The code of the reason, where there is one. */
  code: v.optional(v.string()),
  /** The reason, in words. */
  why: v.optional(v.string()),
  /** Processes, where it is about some. */
  pids: v.array(v.number()),
});

/** One thing that was done, or happened. */
export type HistoryEvent = v.InferOutput<typeof stored>;

/** The same before it is known when it is written down, and in which boot. */
export interface NewEvent {
  readonly verb: HistoryVerb;
  readonly patch: string;
  readonly target: string;
  readonly outcome: string;
  readonly code?: string | undefined;
  readonly why?: string | undefined;
  readonly pids?: readonly number[];
}

/** The oldest are forgotten: as many as a patched machine has in years. */
const MOST_EVENTS = 20_000;

/** Within a transaction of the caller's, or as one of its own. */
export function writeEvent(database: DatabaseSync, event: NewEvent, at: number, boot: string): void {
  const { verb, patch, target, outcome, code, why, pids = [] } = event;
  const { lastInsertRowid } = database
    .prepare("INSERT INTO history (at, boot, verb, patch, target, outcome, code, why, pids) VALUES (?,?,?,?,?,?,?,?,?)")
    .run(at, boot, verb, patch, target, outcome, code ?? null, why ?? null, JSON.stringify(pids));
  database.prepare("DELETE FROM history WHERE id <= ?").run(Number(lastInsertRowid) - MOST_EVENTS);
}

/** The oldest first. @param since milliseconds since 1970 */
export function readEvents(database: DatabaseSync, since: number): HistoryEvent[] {
  const rows = database.prepare("SELECT * FROM history WHERE at >= ? ORDER BY id").all(since);
  return rows.map(eventOf);
}

/** The newest first. */
export function newestEvents(database: DatabaseSync, most: number): HistoryEvent[] {
  return database.prepare("SELECT * FROM history ORDER BY id DESC LIMIT ?").all(most).map(eventOf);
}

/** The last event with one of these verbs. */
export function lastEvent(database: DatabaseSync, verbs: readonly HistoryVerb[]): HistoryEvent | undefined {
  const among = verbs.map(() => "?").join(",");
  const row = database.prepare(`SELECT * FROM history WHERE verb IN (${among}) ORDER BY id DESC LIMIT 1`).get(...verbs);
  return row === undefined ? undefined : eventOf(row);
}

function eventOf({ code, why, pids, ...row }: Readonly<Record<string, unknown>>): HistoryEvent {
  return v.parse(stored, { ...row, code: code ?? undefined, why: why ?? undefined, pids: JSON.parse(String(pids)) });
}
