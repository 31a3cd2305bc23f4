/** The two files of a pair of keys. */
import { rm } from "node:fs/promises";
import { createFile } from "../../lib/create-file.ts";
import { SutureError } from "../../lib/error.ts";
import { generatedKeys } from "./key.ts";

/** Paths, and the id of the public key. */
export interface KeyFiles {
  readonly id: string;
  readonly secret: string;
  readonly public: string;
}

/**
 * Writes NAME.key, which only this user can read, and NAME.pub, both or none of them.
 * Throws `KEY_NAME_TAKEN` where one of the files is there, `OUTPUT_NOT_WRITABLE`, `DISK_FULL`.
 */
export async function generateKeyFiles(name: string): Promise<KeyFiles> {
  const keys = generatedKeys();
  const files: KeyFiles = { id: keys.id, secret: `${name}.key`, public: `${name}.pub` };
  if (!(await createFile(files.secret, keys.secret, 0o600))) throw taken(files.secret);
  try {
    if (!(await createFile(files.public, keys.public, 0o644))) throw taken(files.public);
  } catch (error) {
    await rm(files.secret, { force: true });
    throw error;
  }
  return files;
}

function taken(path: string): SutureError {
  return new SutureError("KEY_NAME_TAKEN", "a file of that name is there, and is not written over", {
    where: path,
    hint: "give another name: what was signed with a key that is lost can never be signed so again",
  });
}
