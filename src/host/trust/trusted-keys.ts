/** The public keys that an administrator trusts: files `NAME.pub` in one directory, which root owns. */

import { mkdirSync } from "node:fs";
import { open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createFile } from "../../lib/create-file.ts";
import { SutureError } from "../../lib/error.ts";
import { isGuarded } from "../../lib/guarded-path.ts";
import type { HostPaths } from "../paths.ts";
import { type PublicKey, publicPem, readPublicKey } from "./key.ts";

/** A key with the name that it is known by here. */
export interface TrustedKey extends PublicKey {
  readonly name: string;
  readonly path: string;
}

const SUFFIX = ".pub";
/** More are no list that anybody has looked at. */
const MOST_KEYS = 1000;

/**
 * All of them, by name. A file whose name does not end with .pub, or begins with a dot, is none.
 *
 * Throws `TRUST_NOT_SAFE` where others can write to the directory, to a file in it, or to what
 * leads there; `KEY_UNREADABLE` where one of them is no key.
 */
export async function trustedKeys({ keys }: HostPaths): Promise<TrustedKey[]> {
  if (!isGuarded(keys, "the directory of trusted keys")) return [];
  const names = (await readdir(keys)).filter((name) => name.endsWith(SUFFIX) && !name.startsWith(".")).sort();
  if (names.length > MOST_KEYS)
    throw new SutureError("KEY_UNREADABLE", `more than ${MOST_KEYS} keys are trusted`, { where: keys });
  const found: TrustedKey[] = [];
  for (const each of names) {
    const path = join(keys, each);
    if (!isGuarded(path, "a trusted key")) continue;
    found.push({ ...(await readPublicKey(path)), name: each.slice(0, -SUFFIX.length), path });
  }
  return found;
}

/**
 * Trusts a key from now on. `unchanged`: it was trusted already, maybe by another name.
 *
 * Throws `KEY_NAME_TAKEN` where another key has that name, `BAD_NAME`, `OUTPUT_NOT_WRITABLE`, and what `trustedKeys` throws.
 */
export async function trustKey(
  paths: HostPaths,
  { id, key }: PublicKey,
  name: string,
): Promise<{ readonly outcome: "trusted" | "unchanged"; readonly key: TrustedKey }> {
  checkName(name);
  const known = (await trustedKeys(paths)).find((each) => each.id === id);
  if (known !== undefined) return { outcome: "unchanged", key: known };
  makeDirectory(paths.keys);
  isGuarded(paths.keys, "the directory of trusted keys");
  const path = join(paths.keys, `${name}${SUFFIX}`);
  if (!(await createFile(path, publicPem(key), 0o644)))
    throw new SutureError("KEY_NAME_TAKEN", `another key is trusted by the name ${name}`, {
      where: path,
      hint: "name this one with --name, or take that one away with suture key remove",
    });
  return { outcome: "trusted", key: { id, key, name, path } };
}

/**
 * What that key has signed is not trusted any more.
 * @param which its name, or its id, of which 16 digits are enough
 *
 * Throws `NO_SUCH_KEY`, and what `trustedKeys` throws.
 */
export async function removeKey(paths: HostPaths, which: string): Promise<TrustedKey> {
  const all = await trustedKeys(paths);
  const found = all.find(({ name }) => name === which) ?? byId(all, which);
  if (found === undefined)
    throw new SutureError("NO_SUCH_KEY", `no key is trusted by the name or the id ${which}`, {
      where: paths.keys,
      hint: "see: suture key list",
    });
  await rm(found.path);
  const directory = await open(paths.keys, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
  return found;
}

/** Of two that begin alike none is meant. */
function byId(all: readonly TrustedKey[], prefix: string): TrustedKey | undefined {
  if (!/^[0-9a-f]{16,64}$/.test(prefix)) return undefined;
  const found = all.filter(({ id }) => id.startsWith(prefix));
  return found.length === 1 ? found[0] : undefined;
}

function checkName(name: string): void {
  if (/^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,99}$/.test(name)) return;
  throw new SutureError("BAD_NAME", `not a name for a key: ${JSON.stringify(name.slice(0, 100))}`, {
    hint: "a name has letters, digits and . _ @ + -, and begins with a letter or a digit",
  });
}

/** The mode can only be less than that by the umask, and then others read no keys. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SutureError("OUTPUT_NOT_WRITABLE", `cannot make the directory of trusted keys: ${code}`, {
      where: path,
      hint: "only root may say which keys are trusted",
      cause: error,
    });
  }
}
