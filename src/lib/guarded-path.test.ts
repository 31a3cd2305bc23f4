import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isGuarded } from "./guarded-path.ts";
import { type TemporaryDirectory, temporaryDirectory } from "./temp.ts";

let directory: TemporaryDirectory;
let keys: string;

beforeEach(async () => {
  directory = await temporaryDirectory();
  mkdirSync(join(directory.path, "etc"), { mode: 0o755 });
  keys = join(directory.path, "etc/keys");
  mkdirSync(keys, { mode: 0o755 });
  writeFileSync(join(keys, "a.pub"), "", { mode: 0o644 });
});
afterEach(async () => await directory[Symbol.asyncDispose]());

const notSafe = (where: RegExp) =>
  expect.objectContaining({ code: "TRUST_NOT_SAFE", where: expect.stringMatching(where) });

test("what this user or root owns, and nobody else can write to, is guarded; what is not there is told", () => {
  expect(isGuarded(keys, "it")).toBe(true);
  expect(isGuarded(join(keys, "a.pub"), "it")).toBe(true);
  expect(isGuarded("/", "it")).toBe(true);
  expect(isGuarded(join(keys, "absent.pub"), "it")).toBe(false);
  expect(isGuarded(join(keys, "absent/a.pub"), "it")).toBe(false);
});

test.each([
  ["the file itself, for its group", "etc/keys/a.pub", 0o664],
  ["the file itself, for all", "etc/keys/a.pub", 0o646],
  ["its directory, for its group", "etc/keys", 0o775],
  ["its directory, for all", "etc/keys", 0o757],
  ["a directory above", "etc", 0o777],
])("others may write to %s: it is not", (_what, path, mode) => {
  chmodSync(join(directory.path, path), mode);
  expect(() => isGuarded(join(keys, "a.pub"), "it")).toThrow(notSafe(new RegExp(`${path}(,|$)`)));
});

test("a directory that is sticky is passed through, and is none that anything is taken from", () => {
  chmodSync(join(directory.path, "etc"), 0o1777);
  expect(isGuarded(join(keys, "a.pub"), "it")).toBe(true);
  chmodSync(keys, 0o1777);
  expect(() => isGuarded(keys, "it")).toThrow(notSafe(/keys$/));
});

test("a link is followed, and all that it leads through is looked at", () => {
  const elsewhere = join(directory.path, "elsewhere");
  mkdirSync(join(elsewhere, "deep"), { recursive: true, mode: 0o755 });
  writeFileSync(join(elsewhere, "deep/b.pub"), "", { mode: 0o644 });
  symlinkSync("../elsewhere/deep", join(directory.path, "etc/one"));
  symlinkSync(join(directory.path, "etc/one"), join(keys, "two"));
  expect(isGuarded(join(keys, "two/b.pub"), "it")).toBe(true);
  chmodSync(elsewhere, 0o777);
  expect(() => isGuarded(join(keys, "two/b.pub"), "it")).toThrow(notSafe(/elsewhere, on the way to/));
});

test("links that lead round in a circle end", () => {
  symlinkSync("b", join(keys, "a"));
  symlinkSync("a", join(keys, "b"));
  expect(() => isGuarded(join(keys, "a"), "it")).toThrow(notSafe(/keys/));
});

test.runIf(process.geteuid?.() === 0)("what another user owns is not, a link of theirs neither", () => {
  chownSync(join(keys, "a.pub"), 65534, 65534);
  expect(() => isGuarded(join(keys, "a.pub"), "it")).toThrow(notSafe(/a\.pub$/));
  expect(isGuarded(keys, "it")).toBe(true);
  chownSync(keys, 65534, 65534);
  expect(() => isGuarded(keys, "it")).toThrow(notSafe(/keys$/));
});
