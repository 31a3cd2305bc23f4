/**
 * The tables of the database, as the steps that led to them: step N makes version N of
 * version N - 1. A step that was released is never changed; docs/versions.md says when
 * there has to be a new one.
 */

/** Which of SQLite's files are ours (PRAGMA application_id): "sutr". */
export const APPLICATION_ID = 0x73757472;

/** All statements of a step; they run in one transaction. */
export type Schema = readonly string[];

/**
 * `about` and `installed.name` are in every version: by them an older suture tells what it
 * does not understand. Times are milliseconds since 1970, boots are the kernel's boot ids.
 */
export const SCHEMA: Schema = [
  `CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
   -- Files below livepatches/, by SHA-256. One that is not kept is removed by the next who changes anything.
   CREATE TABLE files (
     digest TEXT PRIMARY KEY,
     size INTEGER NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('coming', 'kept', 'going'))
   ) STRICT;
   -- The order of the ids is that of installation, and of loading.
   CREATE TABLE installed (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     name TEXT NOT NULL,
     digest TEXT NOT NULL REFERENCES files (digest),
     target TEXT NOT NULL,
     -- The livepatch's own number, and its signature file, where it came with one.
     version INTEGER NOT NULL,
     signature BLOB,
     at INTEGER NOT NULL,
     -- The last boot that loaded it and lived.
     lived TEXT,
     left_out_at INTEGER,
     left_out_why TEXT
   ) STRICT;
   -- What a boot has loaded, or was loading when it ended.
   CREATE TABLE trials (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     boot TEXT NOT NULL,
     installed INTEGER NOT NULL REFERENCES installed (id) ON DELETE CASCADE,
     phase TEXT NOT NULL CHECK (phase IN ('loading', 'loaded', 'over')),
     at INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE history (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     at INTEGER NOT NULL,
     boot TEXT NOT NULL,
     verb TEXT NOT NULL,
     patch TEXT NOT NULL,
     target TEXT NOT NULL,
     outcome TEXT NOT NULL,
     code TEXT,
     why TEXT,
     pids TEXT NOT NULL
   ) STRICT;
   CREATE INDEX history_at ON history (at);`,
];
