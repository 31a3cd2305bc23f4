/** The file of the database: it is opened whole and in a version that is known, or not at all. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { checkFormat } from "../../lib/format.ts";
import { TOOL } from "../../lib/version.ts";
import { APPLICATION_ID, SCHEMA, type Schema } from "./schema.ts";
import { damaged, storeError } from "./store-error.ts";

/** How long another command's transaction is waited for, milliseconds. */
const BUSY_MS = 10_000;
/** Only root may see what the history says of the machine. */
const DIRECTORY_MODE = 0o700;

/**
 * Opens a database that is there, and brings an older one to the present version. Throws
 * `NEWER_FORMAT`, `STORE_DAMAGED`, `STORE_UNUSABLE`, `NOT_PERMITTED` and `DISK_FULL`; then
 * nothing was changed.
 */
export function openDatabase(path: string, schema: Schema = SCHEMA): DatabaseSync {
  const database = attempt(path, () => {
    const url = pathToFileURL(path);
    // An empty file is no database that was just begun: one is made whole under another name.
    url.searchParams.set("mode", "rw");
    return new DatabaseSync(url, { enableForeignKeyConstraints: true });
  });
  try {
    attempt(path, () => check(database, path, schema));
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * Makes a database, which is seen when it is whole. Nobody else may be making it. Throws
 * as `openDatabase`.
 */
export function createDatabase(path: string, schema: Schema = SCHEMA): void {
  const directory = dirname(path);
  const temporary = temporaryOf(path);
  attempt(path, () => {
    removeUnfinished(path);
    const database = new DatabaseSync(temporary);
    try {
      database.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
      migrate(database, 0, schema);
    } finally {
      database.close();
    }
    syncFile(temporary);
    renameSync(temporary, path);
    syncFile(directory);
  });
}

/** Makes the directory of a database. */
export function makeDirectory(path: string): void {
  attempt(path, () => {
    mkdirSync(dirname(path), { recursive: true });
    if (!existsSync(path)) mkdirSync(path, { mode: DIRECTORY_MODE });
    syncFile(dirname(path));
  });
}

/** What a kill has left of making a database. Nobody else may be making it. */
export function removeUnfinished(path: string): void {
  for (const file of ["", "-journal"]) rmSync(`${temporaryOf(path)}${file}`, { force: true });
}

/** Whether there is one, whole or not. Throws what the system says to who may not know. */
export function isDatabaseThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Brings a file, or the names in a directory, to the disk. */
export function syncFile(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Runs `work`; what SQLite says of a database or the system of a file becomes an error with a code. */
export function attempt<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw storeError(error, path);
  }
}

function temporaryOf(path: string): string {
  return join(dirname(path), "new-database");
}

/** The version is looked at before anything is set that would change the file. */
function check(database: DatabaseSync, path: string, schema: Schema): void {
  database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
  const version = pragma(database, "user_version");
  if (pragma(database, "application_id") !== APPLICATION_ID) throw damaged("it is none of suture's", path);
  checkFormat({ version, tool: toolOf(database) }, schema.length, "the database of installed livepatches", path);
  const [damage] = database.prepare("PRAGMA quick_check(1)").all().map(Object.values);
  if (damage?.[0] !== "ok") throw damaged(String(damage?.[0]), path);
  // Of a power cut the whole directory is to be what the last commit says, the journal's name too.
  database.exec("PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA");
  if (version < schema.length) migrate(database, version, schema);
}

/** Killed in it, the version that was is there. */
function migrate(database: DatabaseSync, from: number, schema: Schema): void {
  database.exec("PRAGMA synchronous = EXTRA");
  transaction(database, () => {
    // Another command may have done it while this one waited.
    const version = Math.max(from, pragma(database, "user_version"));
    for (const step of schema.slice(version)) database.exec(step);
    database.exec(`PRAGMA user_version = ${schema.length}`);
    database.prepare("INSERT INTO about VALUES ('tool', ?) ON CONFLICT DO UPDATE SET value = excluded.value").run(TOOL);
  });
}

/** All of `work` is done, and on the disk, or nothing of it. */
export function transaction(database: DatabaseSync, work: () => void): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    work();
    database.exec("COMMIT");
  } catch (error) {
    try {
      database.exec("ROLLBACK");
    } catch {
      // What has failed may have ended the transaction already.
    }
    throw error;
  }
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
}

function toolOf(database: DatabaseSync): string | undefined {
  try {
    return String(database.prepare("SELECT value FROM about WHERE key = 'tool'").get()?.["value"]);
  } catch {
    return undefined;
  }
}
