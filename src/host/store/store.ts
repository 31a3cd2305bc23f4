/** What lasts on a machine: installed livepatches, what boots have made of them, and history. */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import * as v from "valibot";
import { withLock } from "../../lib/lock.ts";
import type { HostPaths } from "../paths.ts";
import { bootId } from "./boot-id.ts";
import {
  attempt,
  createDatabase,
  isDatabaseThere,
  makeDirectory,
  openDatabase,
  removeUnfinished,
  transaction,
} from "./database.ts";
import { databasePath } from "./database-path.ts";
import {
  type HistoryEvent,
  type HistoryVerb,
  lastEvent,
  type NewEvent,
  newestEvents,
  readEvents,
  writeEvent,
} from "./history.ts";
import { type Installed, type InstalledTarget, installedSchema, withPlaces } from "./installed.ts";
import { tellJournal } from "./journal.ts";
import { LivepatchFiles } from "./livepatch-files.ts";
import { damaged } from "./store-error.ts";
import { beginTrial, endTrials, forgetOtherBoots, forgetTrial, readTrials, type Trial, trialLoaded } from "./trials.ts";

/** What is to be installed; its id, and when it was, are made up by the store. */
export type NewInstalled = Pick<Installed, "name" | "digest" | "target" | "version"> & {
  readonly data: Uint8Array;
  readonly signature: Uint8Array | undefined;
};

/** Where it lies; what is written down is told to the journal where that is named. */
export type StorePaths = Pick<HostPaths, "state"> & Partial<Pick<HostPaths, "journal">>;

/**
 * An open database. Each method is one transaction, which is on the disk when it returns;
 * all throw what `openDatabase` throws.
 */
export class HostStore implements Disposable {
  readonly files: LivepatchFiles;
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #boot: string;
  readonly #journal: string | undefined;
  /** Written down, and not told to the journal yet. */
  #untold: NewEvent[] = [];

  private constructor({ state, journal }: StorePaths, boot: string) {
    const path = databasePath({ state });
    this.#journal = journal;
    this.files = new LivepatchFiles(join(state, "livepatches"));
    this.#path = path;
    this.#boot = boot;
    this.#database = openDatabase(path);
  }

  /** undefined where nothing was ever installed on this machine. */
  static open(paths: StorePaths, boot = bootId()): HostStore | undefined {
    const path = databasePath(paths);
    if (!attempt(path, () => isDatabaseThere(path))) return undefined;
    return new HostStore(paths, boot);
  }

  /**
   * Runs `work` with what is installed, while no other command does this; the database is made where there is none.
   * What a kill has left of files is gone before.
   */
  static async change<Result>(
    paths: StorePaths,
    work: (store: HostStore) => Result | Promise<Result>,
    { signal, boot = bootId() }: { readonly signal?: AbortSignal | undefined; readonly boot?: string } = {},
  ): Promise<Result> {
    const path = databasePath(paths);
    if (!attempt(path, () => isDatabaseThere(path))) makeDirectory(paths.state);
    return await withLock(
      join(paths.state, "lock"),
      async () => {
        if (!isDatabaseThere(path)) createDatabase(path);
        else attempt(path, () => removeUnfinished(path));
        using store = new HostStore(paths, boot);
        store.#removeOrphans();
        return await work(store);
      },
      { signal },
    );
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  /** In the order of installation. */
  installed(): Installed[] {
    return this.#attempt(() =>
      this.#database
        .prepare("SELECT installed.*, files.size FROM installed JOIN files USING (digest) ORDER BY id")
        .all()
        .map((row) => this.#installedOf(row)),
    );
  }

  /** For `change` alone. The file is on the disk before anything says that it is installed. @param replaced goes in the same moment */
  install(livepatch: NewInstalled, event: NewEvent, replaced?: Installed): void {
    const { name, digest, target, version, signature, data } = livepatch;
    this.#attempt(() => {
      this.#database
        .prepare("INSERT INTO files VALUES (?, ?, 'coming') ON CONFLICT DO NOTHING")
        .run(digest, data.length);
      this.files.write(digest, data);
      this.#transaction(() => {
        this.#database.prepare("UPDATE files SET state = 'kept' WHERE digest = ?").run(digest);
        if (replaced !== undefined) this.#remove(replaced);
        this.#database
          .prepare("INSERT INTO installed (name, digest, target, version, signature, at) VALUES (?, ?, ?, ?, ?, ?)")
          .run(name, digest, JSON.stringify(target), version, signature ?? null, Date.now());
        this.#write(event);
      });
      this.#removeOrphans();
    });
  }

  /** For `change` alone. */
  uninstall(livepatch: Installed, event: NewEvent): void {
    this.#transaction(() => {
      this.#remove(livepatch);
      this.#write(event);
    });
    this.#removeOrphans();
  }

  /** Within a transaction. A file that others are installed by stays. */
  #remove({ id, digest }: Installed): void {
    this.#database.prepare("DELETE FROM installed WHERE id = ?").run(id);
    const isUnused = "NOT EXISTS (SELECT 1 FROM installed WHERE installed.digest = files.digest)";
    this.#database.prepare(`UPDATE files SET state = 'going' WHERE digest = ? AND ${isUnused}`).run(digest);
  }

  /** It stays installed and is not loaded any more, by nobody but a command that names it. */
  leaveOut({ id }: Installed, why: string, event: NewEvent): void {
    this.#transaction(() => {
      this.#database
        .prepare("UPDATE installed SET left_out_at = ?, left_out_why = ? WHERE id = ?")
        .run(Date.now(), why, id);
      this.#write(event);
    });
  }

  /** One that was left out is loaded again; its signature is this one from now on. */
  takeInAgain({ id }: Installed, signature: Uint8Array | undefined, event: NewEvent): void {
    const set = "left_out_at = NULL, left_out_why = NULL, lived = NULL, signature = ?";
    this.#transaction(() => {
      this.#database.prepare(`UPDATE installed SET ${set} WHERE id = ?`).run(signature ?? null, id);
      this.#write(event);
    });
  }

  /** What was seen of the builds that it is for. @param seen paths by build-id */
  addPlaces({ id }: Installed, seen: ReadonlyMap<string, Iterable<string>>): void {
    this.#transaction(() => {
      const row = this.#database.prepare("SELECT target FROM installed WHERE id = ?").get(id);
      if (row === undefined) return;
      // As it lies there, with what a newer suture may have added.
      const before = String(row["target"]);
      const after = JSON.stringify(withPlaces(JSON.parse(before) as InstalledTarget, seen));
      if (after !== before) this.#database.prepare("UPDATE installed SET target = ? WHERE id = ?").run(after, id);
    });
  }

  /** The newest first. */
  newest(most: number): HistoryEvent[] {
    return this.#attempt(() => newestEvents(this.#database, most));
  }

  /** The oldest first. @param since milliseconds since 1970 */
  history(since = 0): HistoryEvent[] {
    return this.#attempt(() => readEvents(this.#database, since));
  }

  /** The last thing of these kinds that happened. */
  last(...verbs: readonly HistoryVerb[]): HistoryEvent | undefined {
    return this.#attempt(() => lastEvent(this.#database, verbs));
  }

  /** All or none of them. */
  record(...events: readonly NewEvent[]): void {
    if (events.length > 0) this.#transaction(() => events.forEach((event) => void this.#write(event)));
  }

  /** What this boot and those before it have loaded, as far as it is not settled yet. */
  trials(): Trial[] {
    return this.#attempt(() => readTrials(this.#database));
  }

  /** @returns the trial's id */
  beginTrial({ id }: Installed): number {
    return this.#attempt(() => beginTrial(this.#database, this.#boot, id));
  }

  /** What was tried is there, and said to be. */
  trialLoaded(id: number, event: NewEvent): void {
    this.#transaction(() => {
      trialLoaded(this.#database, id);
      this.#write(event);
    });
  }

  /** There was nothing to do. */
  forgetTrial(id: number): void {
    this.#attempt(() => forgetTrial(this.#database, id));
  }

  /** Nothing of what was tried is there. */
  trialRefused(id: number, event: NewEvent): void {
    this.#transaction(() => {
      forgetTrial(this.#database, id);
      this.#write(event);
    });
  }

  /** This boot is over, or has lived for long enough: nothing that it has loaded is blamed for what comes. */
  endTrials(lived: boolean): void {
    this.#transaction(() => endTrials(this.#database, this.#boot, lived));
  }

  /** What other boots left is judged. */
  forgetOtherBoots(): void {
    this.#attempt(() => forgetOtherBoots(this.#database, this.#boot));
  }

  /** Files that no row keeps are removed, then their rows: killed in between, the next one does it. */
  #removeOrphans(): void {
    this.#attempt(() => {
      const orphans = this.#database.prepare("SELECT digest FROM files WHERE state <> 'kept'").all();
      for (const { digest } of orphans) {
        this.files.remove(String(digest));
        this.#database.prepare("DELETE FROM files WHERE digest = ?").run(String(digest));
      }
    });
  }

  #write(event: NewEvent): void {
    writeEvent(this.#database, event, Date.now(), this.#boot);
    this.#untold.push(event);
  }

  #installedOf(row: Readonly<Record<string, unknown>>): Installed {
    const { id, name, digest, size, version, at, left_out_at, left_out_why } = row;
    const [lived, signature] = [row["lived"] ?? undefined, row["signature"] ?? undefined];
    const leftOut = left_out_at === null ? undefined : { at: left_out_at, why: left_out_why ?? "" };
    const target = parsed(row["target"]);
    const read = { id, name, digest, size, target, version, signature, at, lived, leftOut };
    const result = v.safeParse(installedSchema, read);
    if (result.success) return result.output;
    const [issue] = result.issues;
    throw damaged(`${v.getDotPath(issue) ?? "a row"} of an installed livepatch: ${issue.message}`, this.#path);
  }

  #attempt<Result>(work: () => Result): Result {
    return attempt(this.#path, work);
  }

  #transaction(work: () => void): void {
    this.#untold = [];
    this.#attempt(() => transaction(this.#database, work));
    if (this.#journal !== undefined) tellJournal(this.#journal, this.#untold);
  }
}

function parsed(json: unknown): unknown {
  try {
    return JSON.parse(String(json));
  } catch {
    return undefined;
  }
}
