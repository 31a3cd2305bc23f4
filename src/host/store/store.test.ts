import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDatabase, openDatabase } from "./database.ts";
import { install, uninstall } from "./install.ts";
import { ANYTHING, livepatchModule } from "./livepatch-module.fixture.ts";
import { SCHEMA } from "./schema.ts";
import { HostStore } from "./store.ts";

let state: string;
let path: string;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "suture-store-"));
  path = join(state, "suture.db");
});
afterEach(() => rmSync(state, { recursive: true }));

const installed = async (name: string, release?: string, content?: string) => {
  const given = livepatchModule(name, release, content);
  return await HostStore.change({ state }, (store) => install(store, given, ANYTHING));
};
const names = (): readonly string[] | undefined => {
  using store = HostStore.open({ state });
  return store?.installed().map((each) => each.name);
};
const kept = (): string[] => readdirSync(join(state, "livepatches"));
const digest = (data: Buffer): string => createHash("sha256").update(data).digest("hex");

test("where nothing was installed there is no database, and looking makes none", () => {
  expect(names()).toBeUndefined();
  expect(readdirSync(state)).toEqual([]);
});

test("what is installed is there for the next one, in order, with its file", async () => {
  expect(await installed("one")).toMatchObject({
    outcome: "done",
    target: { kind: "kernel", release: "6.1.0-1-amd64" },
  });
  expect(await installed("two", "6.12.0-1-amd64")).toMatchObject({ outcome: "done" });
  expect(await installed("one")).toMatchObject({ outcome: "unchanged" });
  expect(names()).toEqual(["one", "two"]);
  using store = HostStore.open({ state });
  const [one] = store?.installed() ?? [];
  expect(store?.files.read(one?.digest ?? "")).toEqual(livepatchModule("one").data);
  expect(store?.history().map(({ verb, patch, outcome }) => `${verb} ${patch} ${outcome}`)).toEqual([
    "install one done",
    "install two done",
  ]);
  expect(readdirSync(state).sort()).toEqual(["livepatches", "suture.db"]);
});

test("of one name there is one for a kernel, and one for each other kernel", async () => {
  await installed("one");
  expect(await installed("one", "6.1.0-1-amd64", "another")).toMatchObject({
    outcome: "refused",
    problems: [{ code: "ALREADY_INSTALLED" }],
  });
  expect(await installed("one", "6.12.0-1-amd64")).toMatchObject({ outcome: "done" });
  expect(kept()).toHaveLength(2);
});

test("what nobody lets in is not installed, and makes no row and no file", async () => {
  const policy = { requireSignatures: true, keys: [] };
  const refused = await HostStore.change({ state }, (store) => install(store, livepatchModule("one"), policy));
  expect(refused).toMatchObject({ name: "one.ko", outcome: "refused", problems: [{ code: "UNSIGNED_LIVEPATCH" }] });
  expect(names()).toEqual([]);
  expect(readdirSync(state)).toEqual(["suture.db"]);
});

test("what is uninstalled is gone, and its file", async () => {
  await installed("one");
  await installed("two");
  const gone = await HostStore.change({ state }, (store) => uninstall(store, "one"));
  expect(gone).toMatchObject([{ name: "one", outcome: "done" }]);
  expect(names()).toEqual(["two"]);
  expect(kept()).toEqual([digest(livepatchModule("two").data)]);
  expect(await HostStore.change({ state }, (store) => uninstall(store, undefined))).toHaveLength(1);
  expect(kept()).toEqual([]);
});

test("a file that was changed, or is gone, is told and not loaded", async () => {
  const { digest: of } = await installed("one");
  using store = HostStore.open({ state });
  const file = join(state, "livepatches", of);
  writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from([0])]));
  const damage = expect.objectContaining({ code: "STORE_DAMAGED", where: file });
  expect(() => store?.files.read(of)).toThrow(damage);
  rmSync(file);
  expect(() => store?.files.read(of)).toThrow(damage);
});

test("a database of a newer suture is refused, and not one bit of it changes", async () => {
  await installed("one");
  openDatabase(path, [...SCHEMA, "ALTER TABLE installed ADD COLUMN more TEXT"]).close();
  const before = readFileSync(path);
  const newer = expect.objectContaining({
    code: "NEWER_FORMAT",
    exit: 2,
    message: expect.stringContaining("version 2, written by suture"),
  });
  expect(() => HostStore.open({ state })).toThrow(newer);
  await expect(installed("two")).rejects.toEqual(newer);
  expect(readFileSync(path).equals(before)).toBe(true);
  expect(kept()).toHaveLength(1);
});

test("an older database is brought to the present version with all that is in it, or stays what it was", async () => {
  await installed("one");
  const step = "ALTER TABLE installed ADD COLUMN more TEXT NOT NULL DEFAULT 'more'";
  const before = readFileSync(path);
  expect(() => openDatabase(path, [...SCHEMA, step, "INSERT INTO nowhere VALUES (1)"])).toThrow(
    /no such table: nowhere/,
  );
  expect(readFileSync(path).equals(before)).toBe(true);
  const database = openDatabase(path, [...SCHEMA, step]);
  expect(database.prepare("SELECT name, more FROM installed").all()).toMatchObject([{ name: "one", more: "more" }]);
  expect(database.prepare("PRAGMA user_version").get()).toMatchObject({ user_version: SCHEMA.length + 1 });
  database.close();
});

test("what is no database of suture's is told as damaged, and left as it is", async () => {
  for (const content of ["", "text", "SQLite format 3\0".padEnd(4096, "x")]) {
    writeFileSync(path, content);
    const damage = expect.objectContaining({ code: "STORE_DAMAGED" });
    expect(() => HostStore.open({ state }), JSON.stringify(content.slice(0, 20))).toThrow(damage);
    await expect(installed("one")).rejects.toEqual(damage);
    expect(readFileSync(path, "latin1")).toBe(content);
  }
});

test("a database that was cut, or of which a byte was changed, is told as damaged or says what it said", async () => {
  for (const name of ["one", "two", "three"]) await installed(name);
  const whole = readFileSync(path);
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, bits, isCut) => {
      const bytes = isCut ? whole.subarray(0, at) : Buffer.from(whole);
      if (!isCut) bytes[at] = (bytes[at] as number) ^ bits;
      writeFileSync(path, bytes);
      const seen = attempted(names);
      if (!Array.isArray(seen)) expect(["STORE_DAMAGED", "NEWER_FORMAT"]).toContain(seen);
      if (!Array.isArray(seen)) expect(readFileSync(path).equals(bytes)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

function attempted(work: () => readonly string[] | undefined): readonly string[] | string | undefined {
  try {
    return work();
  } catch (error) {
    return (error as { readonly code?: string }).code;
  }
}

test("a database that was being made when its maker was killed is no obstacle", async () => {
  writeFileSync(join(state, "new-database"), "half");
  writeFileSync(join(state, "new-database-journal"), "half");
  await installed("one");
  expect(names()).toEqual(["one"]);
  expect(readdirSync(state).sort()).toEqual(["livepatches", "suture.db"]);
});

test("files that suture does not know are left alone", async () => {
  await installed("one");
  writeFileSync(join(state, "livepatches", "somebody-else's"), "kept");
  await installed("two");
  expect(kept()).toContain("somebody-else's");
});

test("two that change at once do it one after the other", async () => {
  const outcomes = await Promise.all(Array.from({ length: 4 }, () => installed("one")));
  expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(["done", "unchanged", "unchanged", "unchanged"]);
});

test("the history begins where it is asked to", async () => {
  await installed("one");
  using store = HostStore.open({ state });
  store?.record({
    verb: "load",
    patch: "one",
    target: "Linux",
    outcome: "refused",
    code: "UNSIGNED",
    why: "no",
    pids: [7],
  });
  expect(store?.history()[1]).toMatchObject({ verb: "load", code: "UNSIGNED", why: "no", pids: [7] });
  expect(store?.history(Date.now() + 60_000)).toEqual([]);
  expect(store?.last("load", "revert")).toMatchObject({ patch: "one" });
  expect(store?.last("revert")).toBeUndefined();
});

test("a database is seen when it is whole", () => {
  createDatabase(path);
  openDatabase(path).close();
  expect(readdirSync(state)).toEqual(["suture.db"]);
});
