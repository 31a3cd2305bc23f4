import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { withLock } from "./lock.ts";

const lib = new URL(".", import.meta.url).href;
let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "suture-lock-test-"));
  path = join(directory, "lock");
});
afterEach(() => rmSync(directory, { recursive: true }));

test("the lock names its holder while work goes on, and nothing is left after it", async () => {
  expect(await withLock(path, async () => readFileSync(path, "utf8"))).toBe(`${process.pid}\n`);
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
      await setTimeout(1);
      appendFileSync("${log}", "out ");
    });`;
  const children = Array.from({ length: 4 }, () => spawn(process.execPath, ["--input-type=module", "-e", script]));
  const codes = await Promise.all(children.map((child) => once(child, "close")));
  expect(codes).toEqual(Array.from({ length: 4 }, () => [0, null]));
  expect(readFileSync(log, "utf8")).toBe("in out ".repeat(4));
  expect(readdirSync(directory)).toEqual(["log"]);
});

/** A process that holds the lock until it is killed. */
async function holder(): Promise<ChildProcess> {
  const script = `
    import { withLock } from "${lib}lock.ts";
    await withLock("${path}", () => { console.log("held"); return new Promise(() => setInterval(() => {}, 1000)); });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout as NodeJS.ReadableStream, "data");
  return child;
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "close");
}

test("the lock of a process that was killed is free, whatever its file says", async () => {
  await killed(await holder());
  writeFileSync(path, `${process.pid}\n`);
  expect(await withLock(path, async () => "mine")).toBe("mine");
  expect(existsSync(path)).toBe(false);
});

test("calls of one process hold it one after the other, and whoever waits does not hold what was removed", async () => {
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await sleep(1);
    inside--;
  };
  await Promise.all(Array.from({ length: 8 }, () => withLock(path, work)));
  expect(most).toBe(1);
  expect(readdirSync(directory)).toEqual([]);
});

test("waiting is told once, with the holder's pid, and ends with the signal or with the holder", async () => {
  const other = await holder();
  const told: number[] = [];
  const controller = new AbortController();
  const onWait = (pid: number): void => {
    told.push(pid);
    controller.abort();
  };
  const waiting = withLock(path, async () => {}, { signal: controller.signal, onWait });
  await expect(waiting).rejects.toMatchObject({ code: "INTERRUPTED" });
  expect(told).toEqual([other.pid]);
  expect(readdirSync(directory)).toEqual(["lock"]);
  const second = withLock(path, async () => "mine", { onWait: () => void killed(other) });
  expect(await second).toBe("mine");
});
