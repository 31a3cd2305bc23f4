import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withLock } from "./lock.ts";
import { startOf } from "./process-life.ts";

const lib = new URL(".", import.meta.url).href;
let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "suture-lock-test-"));
  path = join(directory, "lock");
});
afterEach(() => rmSync(directory, { recursive: true }));

test("the lock names its holder while work goes on, and nothing is left after it", async () => {
  const result = await withLock(path, async () => readFileSync(path, "utf8"));
  expect(result).toMatch(new RegExp(`^${process.pid} ${startOf(process.pid)} `));
  expect(readdirSync(directory)).toEqual([]);
});

test("failing work gives the lock back", async () => {
  const failing = withLock(path, async () => {
    throw new Error("work");
  });
  await expect(failing).rejects.toThrow("work");
  expect(readdirSync(directory)).toEqual([]);
});

test("processes hold it one after the other", async () => {
  const log = join(directory, "log");
  const script = `
    import { appendFileSync } from "node:fs";
    import { setTimeout } from "node:timers/promises";
    import { withLock } from "${lib}lock.ts";
    await withLock("${path}", async () => {
      appendFileSync("${log}", "in ");
      await setTimeout(30);
      appendFileSync("${log}", "out ");
    });`;
  const children = Array.from({ length: 4 }, () => spawn(process.execPath, ["--input-type=module", "-e", script]));
  const codes = await Promise.all(children.map((child) => once(child, "close")));
  expect(codes).toEqual(Array.from({ length: 4 }, () => [0, null]));
  expect(readFileSync(log, "utf8")).toBe("in out ".repeat(4));
  expect(readdirSync(directory)).toEqual(["log"]);
});

test("the lock of a process that was killed is taken over", async () => {
  const script = `
    import { withLock } from "${lib}lock.ts";
    await withLock("${path}", () => new Promise(() => setInterval(() => {}, 1000)));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script]);
  while (!existsSync(path)) await sleep(5);
  child.kill("SIGKILL");
  await once(child, "close");
  expect(existsSync(path)).toBe(true);
  expect(await withLock(path, async () => "mine")).toBe("mine");
  expect(existsSync(path)).toBe(false);
});

test("a pid that now belongs to another process does not hold the lock", async () => {
  writeFileSync(path, `${process.pid} 1 token\n`);
  expect(await withLock(path, async () => "mine")).toBe("mine");
});

test("waiting is told once, with the holder's pid, and ends with the signal", async () => {
  writeFileSync(path, `${process.pid} ${startOf(process.pid)} token\n`);
  const told: number[] = [];
  const controller = new AbortController();
  const waiting = withLock(path, async () => {}, { signal: controller.signal, onWait: (pid) => told.push(pid) });
  setTimeout(() => controller.abort(), 250);
  await expect(waiting).rejects.toMatchObject({ code: "INTERRUPTED" });
  expect(told).toEqual([process.pid]);
  expect(readdirSync(directory)).toEqual(["lock"]);
});
