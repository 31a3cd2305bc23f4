import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "./temp.ts";

const lib = new URL(".", import.meta.url).href;

/** A process that makes a temporary directory, fills it, prints its path, and then does `next`. */
function processThat(next: string): ReturnType<typeof spawn> {
  const script = `
    import { writeFileSync } from "node:fs";
    import { catchInterrupts } from "${lib}interrupt.ts";
    import { temporaryDirectory } from "${lib}temp.ts";
    const { signal } = catchInterrupts();
    const { path } = await temporaryDirectory();
    writeFileSync(path + "/file", "x");
    console.log(path);
    ${next}`;
  return spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "ignore"] });
}

async function pathFrom(child: ReturnType<typeof spawn>): Promise<string> {
  const [chunk] = await once(child.stdout as NodeJS.ReadableStream, "data");
  return String(chunk).trim();
}

test("a temporary directory is private, and gone when it is disposed of", async () => {
  const directory = await temporaryDirectory();
  expect(directory.path.startsWith(tmpdir())).toBe(true);
  expect(statSync(directory.path).mode & 0o777).toBe(0o700);
  writeFileSync(join(directory.path, "file"), "x");
  await directory[Symbol.asyncDispose]();
  expect(existsSync(directory.path)).toBe(false);
});

test.each([
  ["returns", "process.exit(0)"],
  ["fails", "throw new Error('x')"],
  ["fails in a promise", "Promise.reject(new Error('x'))"],
])("it is gone when the process %s", async (_name, next) => {
  const child = processThat(next);
  const path = await pathFrom(child);
  await once(child, "close");
  expect(existsSync(path)).toBe(false);
});

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("it is gone when %s ends the work", async (signal) => {
  const child = processThat("signal.addEventListener('abort', () => process.exit(1)); setInterval(() => {}, 1000)");
  const path = await pathFrom(child);
  child.kill(signal);
  expect(await once(child, "close")).toEqual([1, null]);
  expect(existsSync(path)).toBe(false);
});
