import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../lib/temp.ts";
import { type HostPaths, hostPaths } from "../paths.ts";
import { generatedKeys, type PublicKey, readPublicKey, readSecretKey } from "./key.ts";
import { removeKey, trustedKeys, trustKey } from "./trusted-keys.ts";

let directory: TemporaryDirectory;
let paths: HostPaths;
beforeEach(async () => {
  directory = await temporaryDirectory();
  paths = hostPaths({ SUTURE_ROOT: directory.path });
});
afterEach(async () => await directory[Symbol.asyncDispose]());

async function newKey(): Promise<PublicKey> {
  const path = join(directory.path, "new.pub");
  writeFileSync(path, generatedKeys().public);
  return await readPublicKey(path);
}

test("keys are trusted, listed by name, and taken away by name or id", async () => {
  expect(await trustedKeys(paths)).toEqual([]);
  const [one, two] = [await newKey(), await newKey()];
  expect(await trustKey(paths, two, "zoe@example.org")).toMatchObject({ outcome: "trusted", key: { id: two.id } });
  expect(await trustKey(paths, one, "adam")).toMatchObject({ outcome: "trusted" });
  expect((await trustedKeys(paths)).map(({ name, id }) => [name, id])).toEqual([
    ["adam", one.id],
    ["zoe@example.org", two.id],
  ]);
  expect(statSync(join(paths.keys, "adam.pub")).mode & 0o777).toBe(0o644);
  expect(await removeKey(paths, "adam")).toMatchObject({ id: one.id });
  expect(await removeKey(paths, two.id.slice(0, 16))).toMatchObject({ name: "zoe@example.org" });
  expect(await trustedKeys(paths)).toEqual([]);
  expect(readdirSync(paths.keys)).toEqual([]);
});

test("a key that is trusted stays so by its name; a name that is taken stays the other key's", async () => {
  const [one, two] = [await newKey(), await newKey()];
  await trustKey(paths, one, "vendor");
  expect(await trustKey(paths, one, "other")).toMatchObject({ outcome: "unchanged", key: { name: "vendor" } });
  await expect(trustKey(paths, two, "vendor")).rejects.toMatchObject({ code: "KEY_NAME_TAKEN" });
  expect((await trustedKeys(paths)).map(({ id }) => id)).toEqual([one.id]);
});

test.each(["", ".hidden", "a/b", "../a", "a b", "-x", "a\n"])("%j is no name for a key", async (name) => {
  await expect(trustKey(paths, await newKey(), name)).rejects.toMatchObject({ code: "BAD_NAME" });
});

test("what is not there cannot be taken away, nor can what is meant by too few digits", async () => {
  const key = await newKey();
  await trustKey(paths, key, "vendor");
  for (const which of ["absent", "", key.id.slice(0, 15), `${key.id}0`])
    await expect(removeKey(paths, which)).rejects.toMatchObject({ code: "NO_SUCH_KEY" });
  expect(await trustedKeys(paths)).toHaveLength(1);
});

test("a directory, or a key, that others can write to is refused with all that is in it", async () => {
  await trustKey(paths, await newKey(), "vendor");
  for (const [path, mode] of [
    [paths.keys, 0o777],
    [paths.configuration, 0o775],
    [join(paths.keys, "vendor.pub"), 0o666],
  ] as const) {
    const { mode: before } = statSync(path);
    chmodSync(path, mode);
    const notSafe = { code: "TRUST_NOT_SAFE" };
    await expect(trustedKeys(paths)).rejects.toMatchObject(notSafe);
    await expect(trustKey(paths, await newKey(), "second")).rejects.toMatchObject(notSafe);
    await expect(removeKey(paths, "vendor")).rejects.toMatchObject(notSafe);
    chmodSync(path, before & 0o777);
  }
  expect(await trustedKeys(paths)).toHaveLength(1);
});

test("other files are passed over, and one that is called a key and is none is told", async () => {
  mkdirSync(paths.keys, { recursive: true, mode: 0o755 });
  writeFileSync(join(paths.keys, "README"), "");
  writeFileSync(join(paths.keys, ".vendor.pub.0123"), "");
  expect(await trustedKeys(paths)).toEqual([]);
  writeFileSync(join(paths.keys, "vendor.pub"), "no key");
  await expect(trustedKeys(paths)).rejects.toMatchObject({ code: "KEY_UNREADABLE" });
});

test("a secret key is used by its owner alone", async () => {
  const path = join(directory.path, "a.key");
  const { id, secret } = generatedKeys();
  writeFileSync(path, secret, { mode: 0o600 });
  expect(await readSecretKey(path)).toMatchObject({ id });
  await expect(readPublicKey(path)).rejects.toMatchObject({ code: "KEY_UNREADABLE" });
  for (const mode of [0o640, 0o604, 0o660]) {
    chmodSync(path, mode);
    await expect(readSecretKey(path)).rejects.toMatchObject({ code: "KEY_EXPOSED" });
  }
});
