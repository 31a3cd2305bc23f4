import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { type ProgramLivepatch, readProgramLivepatch } from "../../src/process/loader/livepatch.ts";
import { ProcessMemory } from "../../src/process/os/memory.ts";
import { CONTROL_SIZE, MAGIC } from "../../src/process/store/control-layout.ts";
import type { Json } from "../../src/process/store/json.ts";
import { patchedState } from "../../src/targets/process/look.ts";
import { ProcessTarget } from "../../src/targets/process/process-target.ts";
import { livepatch, type Program, program } from "../fixtures/patched-program.ts";
import { shown } from "../fixtures/shown.ts";
import { controlOf, remember, remembered } from "./remembered.ts";
import { SERVER_SOURCE, Server } from "./server.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");
const RELEASED = resolve(import.meta.dirname, "../released");

type Fields = { [key: string]: Json };

let directory: TemporaryDirectory;
let served: Program;

beforeAll(async () => {
  directory = await temporaryDirectory();
  served = program({ directory: directory.path, name: "served", source: SERVER_SOURCE });
});

afterAll(async () => {
  await directory[Symbol.asyncDispose]();
});

function fix(name: string, from: string, to: string): ProgramLivepatch {
  const path = livepatch(served, SERVER_SOURCE.replace(from, to), { name });
  return readProgramLivepatch(readFileSync(path), path);
}

const answers = (): ProgramLivepatch => fix("fix", "base + scale(n);", "base + scale(n) + 1000;");

/** Changes what a record says, in its own part, in the core's, or in the target's. */
function edited(record: Json, part: "control" | "core" | "target", change: (fields: Fields) => void): Fields {
  const copy = structuredClone(record) as Fields;
  if (part === "control") change(copy);
  if (part === "target") change(copy["extra"] as Fields);
  if (part === "core") {
    const core = JSON.parse(copy["core"] as string) as Fields;
    change(core);
    copy["core"] = JSON.stringify(core);
  }
  return copy;
}

const MARK = "of a newer suture";

/** The record with one more key in each object of it. */
function marked(value: Json): Json {
  if (typeof value === "string" && value.startsWith("{")) return JSON.stringify(marked(JSON.parse(value) as Json));
  if (Array.isArray(value)) return value.map(marked);
  if (typeof value !== "object" || value === null) return value;
  const inner = Object.fromEntries(Object.entries(value).map(([key, each]) => [key, marked(each)]));
  return { ...inner, [MARK]: { of: ["any", "form"] } };
}

/** Where objects with such a key are. */
function marks(value: Json, path = ""): string[] {
  if (typeof value === "string" && value.startsWith("{")) return marks(JSON.parse(value) as Json, path);
  if (typeof value !== "object" || value === null) return [];
  const inner = Object.entries(value).flatMap(([key, each]) => (key === MARK ? [] : marks(each, `${path}/${key}`)));
  return MARK in value ? [path, ...inner] : inner;
}

test("what a newer suture has added to a record stays there when an older one writes it", async () => {
  await using server = await Server.start([served.path, "2"]);
  const target = new ProcessTarget(server.pid);
  expect(await target.load(answers())).toMatchObject({ outcome: "done" });
  const record = marked(remembered(server.pid));
  remember(server.pid, record);
  // What a verb makes anew is its own: the hooks, and which patches are in effect.
  const stays = marks(record).filter((path) => !/\/hook|\/layers/.test(path));
  expect(stays.length).toBeGreaterThan(10);

  expect(await target.disable("fix")).toMatchObject({ outcome: "done" });
  expect(await target.enable("fix")).toMatchObject({ outcome: "done" });
  expect(await target.load(fix("more", "n + 7", "n + 8"))).toMatchObject({ outcome: "done" });
  expect(await server.ask("a12")).toMatch(/^1220 /);
  expect(marks(remembered(server.pid))).toEqual(expect.arrayContaining(stays));

  expect(await target.unload("more")).toMatchObject({ outcome: "done", notes: [] });
  expect(await target.unload("fix")).toMatchObject({ outcome: "done", notes: [] });
  expect(patchedState(server.pid)).toBeUndefined();
  expect(await server.ask("a12")).toMatch(/^220 /);
});

function wholeControl(pid: number): Buffer {
  using memory = new ProcessMemory(pid);
  return Buffer.from(memory.read(controlOf(pid).start, CONTROL_SIZE));
}

function suture(...args: readonly string[]): { readonly status: number | null; readonly json: Fields } {
  const { status, stdout, stderr } = spawnSync(SUTURE, [...args, "--json", "-q"], { encoding: "utf8" });
  if (stdout === "") throw new Error(stderr);
  return { status, json: shown(stdout) as Fields };
}

const REFUSED = { outcome: "refused", problems: [{ code: "NEWER_FORMAT" }] };

test.each(["control", "core", "target"] as const)(
  "a newer version of the %s part of a record is listed by name, and no verb changes anything",
  async (part) => {
    await using server = await Server.start([served.path, "2"]);
    const target = new ProcessTarget(server.pid);
    expect(await target.load(answers())).toMatchObject({ outcome: "done" });
    const record = remembered(server.pid);
    const newer = edited(record, part, (fields) => {
      fields["version"] = 2;
      fields["patches"] ??= "something else";
    });
    remember(server.pid, { ...newer, tool: "suture 9.0.0" });
    const before = wholeControl(server.pid);

    for (const verb of ["disable", "enable", "force", "unload"] as const)
      expect(await target[verb]("fix")).toMatchObject(REFUSED);
    const other = fix("more", "n + 7", "n + 8");
    for (const verb of ["preflight", "load"] as const) expect(await target[verb](other)).toMatchObject(REFUSED);
    expect(() => patchedState(server.pid)).toThrow(expect.objectContaining({ code: "NEWER_FORMAT", exit: 2 }));

    const { json: list } = suture("list");
    const seen = { pid: server.pid, version: 2, known: 1, tool: "suture 9.0.0", patches: ["fix"] };
    expect(list["newer"]).toContainEqual(expect.objectContaining(seen));
    const info = suture("info", "fix", "--pid", String(server.pid));
    expect(info).toMatchObject({ status: 0, json: { newer: [seen] } });
    expect(suture("disable", "fix", "--pid", String(server.pid))).toMatchObject({ status: 2 });

    expect(wholeControl(server.pid).equals(before)).toBe(true);
    expect(await server.ask("a12")).toMatch(/^1220 /);
    remember(server.pid, record);
    expect(await target.unload("fix")).toMatchObject({ outcome: "done" });
  },
);

test("a change that a newer suture has left half made, and another layout of what it remembers, are refused", async () => {
  await using server = await Server.start([served.path, "2"]);
  const target = new ProcessTarget(server.pid);
  expect(await target.load(answers())).toMatchObject({ outcome: "done" });
  const record = remembered(server.pid) as Fields;
  const next = Number(record["number"]) + 1;
  remember(server.pid, { ...record, version: 2, number: next });
  expect(await target.disable("fix")).toMatchObject(REFUSED);

  // Of no change that may be under way: left over.
  remember(server.pid, { ...record, version: 2, number: next + 2 });
  expect(await target.disable("fix")).toMatchObject({ outcome: "done" });

  using memory = new ProcessMemory(server.pid);
  const at = controlOf(server.pid).start + MAGIC.length - 1;
  memory.write(at, Buffer.from([2]));
  expect(await target.unload("fix")).toMatchObject(REFUSED);
  expect(suture("list").json["newer"]).toContainEqual(expect.objectContaining({ pid: server.pid, patches: [] }));
  memory.write(at, Buffer.from([1]));
  expect(await target.unload("fix")).toMatchObject({ outcome: "done" });
});

test("a livepatch of a newer suture is neither explained nor loaded, and it is said by which it was built", async () => {
  const newer = livepatch(served, SERVER_SOURCE.replace("n + 7", "n + 8"), {
    name: "newer",
    edit: (metadata) => ({ ...metadata, tool: "suture 9.0.0", version: 2 as 1 }),
  });
  await using server = await Server.start([served.path, "2"]);
  for (const command of [
    ["explain", newer],
    ["load", newer, "--pid", String(server.pid)],
    ["preflight", newer, "--all"],
  ]) {
    const { status, json } = suture(...command);
    expect({ status, json }).toMatchObject({ status: 2, json: { error: { code: "NEWER_FORMAT" } } });
    expect((json["error"] as Fields)["what"]).toMatch(/is of version 2, written by suture 9\.0\.0/);
  }
  expect(patchedState(server.pid)).toBeUndefined();
});

test("a livepatch of the last released format goes into a process and is taken away again", async () => {
  const path = join(RELEASED, "livepatch-fix.livepatch");
  execFileSync("cp", [join(RELEASED, "served"), join(directory.path, "released")]);
  await using server = await Server.start([join(directory.path, "released"), "2"]);
  const target = new ProcessTarget(server.pid);
  expect(await target.load(readProgramLivepatch(readFileSync(path), path))).toMatchObject({ outcome: "done" });
  expect(await server.ask("a12")).toMatch(/^1220 /);
  // As that release has remembered it.
  const { tool: _, ...record } = remembered(server.pid) as Fields;
  remember(server.pid, record);
  expect(await target.disable("fix")).toMatchObject({ outcome: "done" });
  expect(await target.unload("fix")).toMatchObject({ outcome: "done", notes: [] });
  expect(patchedState(server.pid)).toBeUndefined();
  expect(await server.ask("a12")).toMatch(/^220 /);
});
