import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { isAlive } from "./process-life.ts";

test("this process is alive", () => {
  expect(isAlive(process.pid)).toBe(true);
});

test("a process that has ended is not alive, also where nobody has waited for it", async () => {
  const child = spawn("true");
  await once(child, "close");
  expect(isAlive(child.pid as number)).toBe(false);
  // The shell becomes a program that waits for none of its children.
  const parent = spawn("sh", ["-c", "true & echo $!; exec sleep infinity"], { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = await once(parent.stdout as NodeJS.ReadableStream, "data");
  while (isAlive(Number(said))) await new Promise((resolve) => setTimeout(resolve, 1));
  parent.kill("SIGKILL");
});
