import { copyFileSync, existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { bindObjects } from "../../src/process/loader/bind.ts";
import { type ProgramLivepatch, readProgramLivepatch } from "../../src/process/loader/livepatch.ts";
import { prepareObject } from "../../src/process/loader/prepare.ts";
import { ProcessView } from "../../src/process/maps/process-view.ts";
import { findProcesses } from "../../src/targets/process/discover.ts";
import { livepatch, type Program, program } from "../fixtures/patched-program.ts";
import { SERVER_SOURCE, Server } from "./server.ts";

let directory: TemporaryDirectory;
let served: Program;
let fix: ProgramLivepatch;

beforeAll(async () => {
  directory = await temporaryDirectory();
  served = program({ directory: directory.path, name: "served", source: SERVER_SOURCE });
  const path = livepatch(
    served,
    SERVER_SOURCE.replace("return base + scale(n);", "return base + scale(n) + strlen(text) + calls + 900;"),
  );
  fix = readProgramLivepatch(readFileSync(path), path);
});

afterAll(async () => {
  await directory[Symbol.asyncDispose]();
});

function refusalsOf(pid: number): string[] {
  using view = new ProcessView(pid);
  return bindObjects(fix, view).refusals.map(({ code }) => code);
}

test("all processes of a program are found by its build-id, whatever their file is called", async () => {
  const renamed = join(directory.path, "renamed");
  copyFileSync(served.path, renamed);
  await using one = await Server.start([served.path]);
  await using two = await Server.start([renamed]);
  const { pids } = findProcesses(fix, new Map());
  expect(pids).toEqual(expect.arrayContaining([one.pid, two.pid]));
  expect(pids).not.toContain(process.pid);
});

test("a binary replaced on disk changes nothing for who runs the old one", async () => {
  const path = join(directory.path, "replaced");
  copyFileSync(served.path, path);
  await using server = await Server.start([path]);
  copyFileSync("/bin/true", `${path}.new`);
  renameSync(`${path}.new`, path);
  expect(refusalsOf(server.pid)).toEqual([]);
});

test("a process that runs an old binary is told from one that runs another build", async () => {
  const other = program({
    directory: directory.path,
    name: "other",
    source: SERVER_SOURCE.replace("base = 100", "base = 300"),
  });
  const path = join(directory.path, "in", "served");
  const { mkdirSync } = await import("node:fs");
  mkdirSync(join(directory.path, "in"));
  copyFileSync(other.path, path);
  await using server = await Server.start([path]);
  expect(refusalsOf(server.pid)).toEqual(["WRONG_BUILD_ID"]);
  copyFileSync(served.path, `${path}.new`);
  renameSync(`${path}.new`, path);
  expect(refusalsOf(server.pid)).toEqual(["BINARY_REPLACED"]);
});

test("a process without the livepatch's objects is told so", () => {
  expect(refusalsOf(process.ppid)).toEqual(["OBJECT_NOT_LOADED"]);
});

test("a thread of the kernel is told as that", (context) => {
  const kthreadd = 2;
  if (!existsSync(`/proc/${kthreadd}/comm`) || readFileSync(`/proc/${kthreadd}/comm`, "utf8") !== "kthreadd\n")
    return context.skip();
  expect(() => new ProcessView(kthreadd)).toThrow(/is a thread of the kernel/);
});

test("a process that is not there is TARGET_GONE", () => {
  expect(() => new ProcessView(2 ** 22 - 1)).toThrow(expect.objectContaining({ code: "TARGET_GONE" }));
});

test("a livepatch is made ready for a process without changing it", async () => {
  await using server = await Server.start([served.path]);
  using view = new ProcessView(server.pid);
  const { bound } = bindObjects(fix, view);
  const [object] = bound;
  if (object === undefined) throw new Error("the server has not loaded itself");
  const room = {
    room: (near: { end: number }, size: number) => ({ start: near.end + 0x100000, end: near.end + 0x100000 + size }),
  };
  const outcome = prepareObject(object, view, room, { taken: [], shadows: 0 });
  expect(outcome).toMatchObject({ funcs: [{ site: { id: "served:answer,0" } }] });
  expect(await server.ask("a1")).toBe("110 1");
});

test("a function that no library of the process has is refused by name", async () => {
  const path = livepatch(
    served,
    `extern int nowhere_at_all(int);\n${SERVER_SOURCE.replace("return n + 7", "return nowhere_at_all(n)")}`,
    { name: "nowhere" },
  );
  const patch = readProgramLivepatch(readFileSync(path), path);
  await using server = await Server.start([served.path]);
  using view = new ProcessView(server.pid);
  const [object] = bindObjects(patch, view).bound;
  if (object === undefined) throw new Error("the server has not loaded itself");
  const room = { room: (near: { end: number }, size: number) => ({ start: near.end, end: near.end + size }) };
  expect(prepareObject(object, view, room, { taken: [], shadows: 0 })).toMatchObject({
    code: "IMPORT_NOT_FOUND",
    what: expect.stringContaining("nowhere_at_all"),
  });
});
