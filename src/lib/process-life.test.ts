import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { isAlive, startOf } from "./process-life.ts";

test("this process is alive, and began when it began", () => {
  const start = startOf(process.pid);
  expect(start).toBeGreaterThan(0);
  expect(isAlive(process.pid, start)).toBe(true);
});

test("another process that got the same pid is not the one meant", () => {
  expect(isAlive(process.pid, (startOf(process.pid) ?? 0) - 1)).toBe(false);
});

test("a process that has ended is not alive", async () => {
  const child = spawn("true");
  await once(child, "close");
  expect(isAlive(child.pid as number)).toBe(false);
});
