/** What SQLite and the system say of the database and its files, in words that help. */
import { dirname } from "node:path";
import { namingFullDisk } from "../../lib/disk-full.ts";
import { SutureError } from "../../lib/error.ts";

/** What helps with a damaged database. The files of livepatches are apart from it. */
const MOVE_AWAY =
  "move it to another place, and install again what is to be kept: the files are in livepatches/ beside it";

/** Primary result codes of SQLite: https://sqlite.org/rescode.html. */
const SQLITE = { perm: 3, busy: 5, locked: 6, readonly: 8, corrupt: 11, full: 13, cantOpen: 14, notADatabase: 26 };

/** The error to throw in place of `error`, which came up while the database at `path`, or what lies beside it, was used. */
export function storeError(error: unknown, path: string): unknown {
  if (error instanceof SutureError || !(error instanceof Error)) return error;
  const { code, errcode } = error as { readonly code?: string; readonly errcode?: number };
  if (code !== "ERR_SQLITE_ERROR") return ofSystem(error, path);
  const detail = { where: path, cause: error };
  switch ((errcode ?? 0) & 0xff) {
    case SQLITE.corrupt:
    case SQLITE.notADatabase:
      return damaged(error.message, path, error);
    case SQLITE.full:
      return namingFullDisk(Object.assign(new Error(error.message), { code: "ENOSPC" }), dirname(path));
    case SQLITE.busy:
    case SQLITE.locked:
      return new SutureError("STORE_UNUSABLE", "another command is changing what is installed, and does not end", {
        ...detail,
        hint: "see which one it is: fuser FILE",
      });
    case SQLITE.perm:
    case SQLITE.readonly:
    case SQLITE.cantOpen:
      return process.geteuid?.() === 0 ? unusable(error, path) : notPermitted(path, error);
    default:
      return unusable(error, path);
  }
}

/** `STORE_DAMAGED`: what is there is left as it is. */
export function damaged(what: string, path: string, cause?: unknown): SutureError {
  return new SutureError("STORE_DAMAGED", `what is installed cannot be read: the database is damaged: ${what}`, {
    where: path,
    hint: MOVE_AWAY,
    cause,
  });
}

function unusable(error: Error, path: string): SutureError {
  return new SutureError("STORE_UNUSABLE", `what is installed cannot be read or changed: ${error.message}`, {
    where: path,
    hint: "see to it that its directory can be written to, and its disk is whole",
    cause: error,
  });
}

function notPermitted(path: string, cause: Error): SutureError {
  return new SutureError("NOT_PERMITTED", "only root may see and change what is installed", {
    where: path,
    hint: "run suture as root",
    cause,
  });
}

function ofSystem(error: Error, path: string): unknown {
  const { code = "" } = error as NodeJS.ErrnoException;
  if (code === "EACCES" || code === "EPERM") return notPermitted(path, error);
  if (code === "EROFS") return unusable(error, path);
  return namingFullDisk(error, dirname(path));
}
