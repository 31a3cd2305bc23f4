/**
 * What boots have loaded, written down before it is loaded: what is found of a boot that
 * did not live is what that boot may have died of.
 */
import type { DatabaseSync } from "node:sqlite";

/** One livepatch in one boot. `over`: that boot has lived, or was ended in order. */
export interface Trial {
  /** A later one has a larger one. */
  readonly id: number;
  readonly boot: string;
  readonly installed: number;
  readonly phase: "loading" | "loaded" | "over";
}

/** On return it is on the disk that the livepatch is about to be loaded. @returns its id */
export function beginTrial(database: DatabaseSync, boot: string, installed: number): number {
  const { lastInsertRowid } = database
    .prepare("INSERT INTO trials (boot, installed, phase, at) VALUES (?, ?, 'loading', ?)")
    .run(boot, installed, Date.now());
  return Number(lastInsertRowid);
}

/** It is loaded, and its transition has ended. */
export function trialLoaded(database: DatabaseSync, id: number): void {
  database.prepare("UPDATE trials SET phase = 'loaded' WHERE id = ?").run(id);
}

/** It was refused, so that nothing of it is there. */
export function forgetTrial(database: DatabaseSync, id: number): void {
  database.prepare("DELETE FROM trials WHERE id = ?").run(id);
}

/** In the order in which they began. */
export function readTrials(database: DatabaseSync): Trial[] {
  return database.prepare("SELECT id, boot, installed, phase FROM trials ORDER BY id").all() as unknown as Trial[];
}

/** Nothing of that boot will be blamed on any of its livepatches. @param lived whether each of them has proved itself by it */
export function endTrials(database: DatabaseSync, boot: string, lived: boolean): void {
  if (lived)
    database
      .prepare(
        "UPDATE installed SET lived = ? WHERE id IN (SELECT installed FROM trials WHERE boot = ? AND phase = 'loaded')",
      )
      .run(boot, boot);
  database.prepare("UPDATE trials SET phase = 'over' WHERE boot = ? AND phase = 'loaded'").run(boot);
}

/** Boots other than this one are judged by then. */
export function forgetOtherBoots(database: DatabaseSync, boot: string): void {
  database.prepare("DELETE FROM trials WHERE boot <> ?").run(boot);
}
