import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { type ProgramLivepatch, readProgramLivepatch } from "../../src/process/loader/livepatch.ts";
import { patchedState } from "../../src/targets/process/look.ts";
import { ProcessTarget } from "../../src/targets/process/process-target.ts";
import { type LivepatchOptions, livepatch, type Program, program } from "../fixtures/patched-program.ts";
import { SERVER_SOURCE, Server } from "./server.ts";

let directory: TemporaryDirectory;
let served: Program;

beforeAll(async () => {
  directory = await temporaryDirectory();
  served = program({ directory: directory.path, name: "served", source: SERVER_SOURCE });
});

afterAll(async () => {
  await directory[Symbol.asyncDispose]();
});

/** The livepatch that makes `answer` return more. */
function fix(more: string, options: LivepatchOptions = {}): ProgramLivepatch {
  const source = SERVER_SOURCE.replace("return base + scale(n);", `return base + scale(n) + ${more};`);
  const path = livepatch(served, source, options);
  return readProgramLivepatch(readFileSync(path), path);
}

function maps(pid: number): string {
  return readFileSync(`/proc/${pid}/maps`, "utf8").replaceAll(/^.*\[heap\]\n/gm, "");
}

test.each(["stop", "lazy", "hybrid"] as const)(
  "a livepatch goes in and out by %s, and leaves nothing behind",
  async (consistency) => {
    await using server = await Server.start([served.path, "4"]);
    const before = maps(server.pid);
    const target = new ProcessTarget(server.pid, { consistency });
    const patch = fix("(int)strlen(text) * 1000");
    expect(await target.load(patch)).toMatchObject({ outcome: "done", problems: [], notes: [] });
    expect(await server.ask("a12")).toMatch(/^2220 /);
    expect(patchedState(server.pid)?.core.layers).toEqual([{ patch: "fix", objects: ["served"] }]);
    expect(await target.disable("fix")).toMatchObject({ outcome: "done" });
    expect(await server.ask("a12")).toMatch(/^220 /);
    expect(await target.enable("fix")).toMatchObject({ outcome: "done" });
    expect(await server.ask("a12")).toMatch(/^2220 /);
    expect(await target.disable("fix")).toMatchObject({ outcome: "done" });
    expect(await target.unload("fix")).toMatchObject({ outcome: "done", notes: [] });
    expect(patchedState(server.pid)).toBeUndefined();
    expect(maps(server.pid)).toBe(before);
    expect(await server.ask("w")).toMatch(/^\d+ 0$/);
  },
);

test.each(["stop", "lazy", "hybrid"] as const)(
  "one command takes an enabled livepatch away, by %s",
  async (consistency) => {
    await using server = await Server.start([served.path, "4"]);
    const before = maps(server.pid);
    const target = new ProcessTarget(server.pid, { consistency });
    expect(await target.load(fix("1000"))).toMatchObject({ outcome: "done" });
    expect(await target.unload("fix")).toMatchObject({ outcome: "done", problems: [], notes: [] });
    expect(maps(server.pid)).toBe(before);
    expect(await server.ask("a12")).toMatch(/^220 /);
  },
);

test("a livepatch that was forced on, over a thread that is inside, is taken away in one go too", async () => {
  await using server = await Server.start([served.path, "0", "600000"]);
  const path = livepatch(served, SERVER_SOURCE.replace("return base + n;", "return base + n + 1;"), { name: "slow" });
  const slow = readProgramLivepatch(readFileSync(path), path);
  const held = new ProcessTarget(server.pid, { consistency: "lazy", timeoutMs: 200, onDeadline: "keep" });
  expect(await held.load(slow)).toMatchObject({ outcome: "pending" });
  expect(await held.force("slow")).toMatchObject({ outcome: "done" });
  expect(await held.unload("slow")).toMatchObject({ outcome: "done" });
});
