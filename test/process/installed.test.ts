/** What is installed for a program, from its installation to the day on which nothing needs it any more. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, renameSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { livepatch, program } from "../fixtures/patched-program.ts";
import { shown } from "../fixtures/shown.ts";
import { ownSource, Server } from "./server.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");

let directory: TemporaryDirectory;
let path: string;
let fix: string;
let successor: string;
/** The program as it was built, and a livepatch that says that it lies where it does not. */
let original: string;
let elsewhere: string;

let versions: readonly string[];

beforeAll(async () => {
  directory = await temporaryDirectory();
  const ownServer = ownSource(directory.path);
  const served = program({ directory: directory.path, name: "installed-srv", source: ownServer });
  path = served.path;
  versions = [1, 2].map((patchVersion) => {
    const patched = ownServer.replace("return base + scale(n);", `return base + scale(n) + ${patchVersion};`);
    const made = livepatch(served, patched, { edit: (metadata) => ({ ...metadata, patchVersion }) });
    const kept = join(directory.path, `version-${patchVersion}.o`);
    renameSync(made, kept);
    return kept;
  });
  original = join(directory.path, "original");
  copyFileSync(path, original);
  const made = livepatch(served, ownServer.replace("return base + scale(n);", "return base + scale(n) + 1;"), {
    edit: ({ objects, ...metadata }) => ({
      ...metadata,
      objects: objects.map((object) => ({ ...object, path: "/nowhere/installed-srv" })),
    }),
  });
  elsewhere = join(directory.path, "elsewhere.o");
  renameSync(made, elsewhere);
  fix = livepatch(served, ownServer.replace("return base + scale(n);", "return base + scale(n) + 900;"));
  mkdirSync(join(directory.path, "new"));
  const source = ownServer.replace("base = 100", "base = 1000");
  successor = program({ directory: join(directory.path, "new"), name: "installed-srv", source }).path;
});
afterAll(async () => await directory[Symbol.asyncDispose]());

function suture(...args: readonly string[]) {
  const env = { ...process.env, SUTURE_ROOT: join(directory.path, "root") };
  const { status, stdout, stderr } = spawnSync(SUTURE, [...args, "--json", "-q"], { env, encoding: "utf8" });
  if (stdout === "") throw new Error(stderr);
  return { status, document: shown(stdout) };
}

const stateNow = (): unknown => suture("status").document.installed[0];
const verbs = (): string[] => suture("log").document.events.map((event: { verb: string }) => event.verb);

test("a livepatch is installed, loaded where it belongs, missed where it is not, and dropped when another build runs", async () => {
  const { document: before } = suture("status");
  expect(before.installed).toEqual([]);
  expect(suture("install", fix)).toMatchObject({
    status: 0,
    document: { results: [{ name: "fix", outcome: "done" }] },
  });
  expect(stateNow()).toMatchObject({ name: "fix", state: "idle", atBoot: true, processes: 0 });
  expect(suture("boot")).toMatchObject({ status: 0, document: { installed: [{ state: "unchanged" }] } });
  {
    await using one = await Server.start([path]);
    expect(stateNow()).toMatchObject({ state: "not-loaded", processes: 1, without: [one.pid] });
    expect(suture("boot")).toMatchObject({ status: 0, document: { installed: [{ name: "fix", state: "loaded" }] } });
    expect(await one.ask("a1")).toBe("1010 1");
    expect(stateNow()).toMatchObject({ state: "live", processes: 1, without: [] });
    await using two = await Server.start([path]);
    const { document } = suture("status");
    expect(document.installed[0]).toMatchObject({ state: "partly", processes: 2, without: [two.pid] });
    expect(document.live).toContainEqual({
      ...{ name: "fix", where: "installed-srv", kind: "program", state: "enabled", forced: false },
      ...{ pids: [one.pid], holders: [] },
    });
    expect(suture("load", "--all")).toMatchObject({ status: 0, document: { installed: [{ state: "loaded" }] } });
    expect(await two.ask("a1")).toBe("1010 1");

    copyFileSync(successor, `${path}.new`);
    renameSync(`${path}.new`, path);
    expect(stateNow()).toMatchObject({ state: "live", atBoot: false, processes: 2, replaced: [path] });
    expect(suture("boot", "--lived").status).toBe(0);
    expect(stateNow()).toMatchObject({ state: "live" });
  }
  // Nothing runs the old build, and nothing the new one yet.
  expect(stateNow()).toMatchObject({ state: "not-needed", atBoot: false, processes: 0 });
  expect(suture("boot", "--lived").status).toBe(0);
  expect(stateNow()).toMatchObject({ state: "not-needed" });
  await using fixed = await Server.start([path]);
  expect(await fixed.ask("a1")).toBe("1010 1");
  expect(suture("boot", "--lived").status).toBe(0);
  expect(suture("status").document.installed).toEqual([]);
  expect(verbs()).toEqual(["install", "boot", "load", "drop"]);
});

test.each(["before", "after"] as const)(
  "one that was built elsewhere is known by where its program was seen to run, %s it was installed",
  async (seen) => {
    const there = join(directory.path, `deployed-${seen}`);
    copyFileSync(original, there);
    const run = async (when: typeof seen): Promise<void> => {
      if (seen !== when) return;
      await using one = await Server.start([there]);
      expect(await one.ask("a1")).toMatch(/^\d+ 1$/);
      expect(suture(...(when === "before" ? ["install", elsewhere] : ["boot"])).status).toBe(0);
    };
    await run("before");
    expect(suture("install", elsewhere).status).toBe(0);
    await run("after");
    expect(stateNow()).toMatchObject({ state: "idle", atBoot: true });
    copyFileSync(successor, `${there}.new`);
    renameSync(`${there}.new`, there);
    expect(stateNow()).toMatchObject({ state: "not-needed", atBoot: false, replaced: [there] });
    await using fixed = await Server.start([there]);
    expect(await fixed.ask("a1")).toBe("1010 1");
    expect(suture("boot", "--lived").status).toBe(0);
    expect(suture("status").document.installed).toEqual([]);
  },
);

test("an uninstall leaves what is loaded as it is, and says what there is no more", async () => {
  expect(suture("install", fix).status).toBe(0);
  expect(suture("uninstall", "fix")).toMatchObject({ status: 0, document: { results: [{ outcome: "done" }] } });
  expect(suture("uninstall", "fix")).toMatchObject({ status: 1, document: { error: { code: "NOT_INSTALLED" } } });
  expect(suture("uninstall", "--all")).toMatchObject({ status: 0, document: { results: [] } });
});

test("a newer version takes the place of an older one, and an older one is refused unless it is asked for", () => {
  const [first = "", second = ""] = versions;
  const installed = () => suture("status").document.installed.map(({ version }: { version: number }) => version);
  expect(suture("install", first)).toMatchObject({ status: 0 });
  expect(suture("install", second)).toMatchObject({ status: 0, document: { results: [{ outcome: "done" }] } });
  expect(installed()).toEqual([2]);
  const older = suture("install", first);
  expect(older).toMatchObject({ status: 2, document: { results: [{ problems: [{ code: "OLDER_VERSION" }] }] } });
  expect(suture("install", fix, "--older")).toMatchObject({ status: 0 });
  expect(suture("install", first)).toMatchObject({ status: 0 });
  expect(installed()).toEqual([1]);
});
