/** Whenever an installation is killed, the next command finds a whole database, and the files that it speaks of. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { databasePath } from "../src/host/store/database-path.ts";
import { install } from "../src/host/store/install.ts";
import { ANYTHING, livepatchModule } from "../src/host/store/livepatch-module.fixture.ts";
import { HostStore } from "../src/host/store/store.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../src/lib/temp.ts";
import { isLong } from "./long.ts";

const given = livepatchModule("fix");
const { data } = given;
let directory: TemporaryDirectory;
let file: string;

beforeAll(async () => {
  directory = await temporaryDirectory();
  file = join(directory.path, "fix.ko");
  writeFileSync(file, data);
});
afterAll(async () => await directory[Symbol.asyncDispose]());

type Verb = "install" | "uninstall";

/** A state in which the verb has something to do. */
async function stateBefore(name: string, verb: Verb): Promise<string> {
  const state = join(directory.path, name);
  mkdirSync(state);
  if (verb === "uninstall") await HostStore.change({ state }, (store) => install(store, given, ANYTHING));
  return state;
}

function start(state: string, verb: Verb, at: number) {
  const script = join(import.meta.dirname, "killed-installation.ts");
  return spawn(process.execPath, [script, state, verb, file, String(at)], { stdio: ["ignore", "pipe", "inherit"] });
}

/** What the next command finds, after it has removed what was left over. */
async function found(state: string): Promise<string[]> {
  if (!existsSync(databasePath({ state }))) return [];
  return await HostStore.change({ state }, (store) => {
    const names = store.installed().map(({ name, digest }) => {
      expect(store.files.read(digest).equals(data)).toBe(true);
      return name;
    });
    const said = store.history().map(({ verb, patch }) => `${verb} ${patch}`);
    expect(said.at(-1)).toBe(names.length > 0 ? "install fix" : said.length > 0 ? "uninstall fix" : undefined);
    const files = existsSync(store.files.directory) ? readdirSync(store.files.directory) : [];
    expect(files).toEqual(store.installed().map(({ digest }) => digest));
    return names;
  });
}

/** Whatever was found, the same command then does the rest. @returns how many calls that took */
async function doesTheRest(state: string, verb: Verb): Promise<number> {
  const child = start(state, verb, 0);
  let said = "";
  child.stdout.on("data", (data) => {
    said += data;
  });
  const [exit] = await once(child, "close");
  expect(exit).toBe(0);
  expect(await found(state)).toEqual(verb === "install" ? ["fix"] : []);
  return Number(said);
}

/** All moments in the long run; else some, and the last ones, before which all was decided. */
function momentsOf(calls: number): number[] {
  const all = Array.from({ length: calls }, (_, index) => index + 1);
  return isLong ? all : all.filter((at) => at % Math.ceil(calls / 8) === 0 || at > calls - 2);
}

test.each(["install", "uninstall"] as const)("%s, killed before any call that changes something", async (verb) => {
  const before = await stateBefore(`${verb}-before`, verb);
  const whole = `${before}-whole`;
  cpSync(before, whole, { recursive: true });
  const calls = await doesTheRest(whole, verb);
  expect(calls).toBeGreaterThan(20);
  const seen = new Set<number>();
  for (const at of momentsOf(calls)) {
    const state = `${before}-${at}`;
    cpSync(before, state, { recursive: true });
    const [, signal] = await once(start(state, verb, at), "close");
    expect(signal).toBe("SIGKILL");
    const names = await found(state);
    seen.add(names.length);
    if (isLong) await doesTheRest(state, verb);
  }
  // It was killed before and after the moment on which all depends.
  expect([...seen].sort()).toEqual([0, 1]);
});

test("killed at random moments, in turns", async () => {
  const state = await stateBefore("random", "install");
  const times = isLong ? 200 : 12;
  let seed = Number(process.env["SUTURE_SEED"] ?? 1);
  for (let time = 0; time < times; time++) {
    const verb = time % 2 === 0 ? "install" : "uninstall";
    const child = start(state, verb, 0);
    const closed = once(child, "close");
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    await Promise.race([closed, sleep((seed / 2 ** 31) * 400)]);
    child.kill("SIGKILL");
    await closed;
    await found(state);
  }
  await doesTheRest(state, "install");
});
