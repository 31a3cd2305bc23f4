import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { isAlive } from "./process-life.ts";

const lib = new URL(".", import.meta.url).href;
const directory = mkdtempSync(join(tmpdir(), "suture-interrupt-test-"));
afterAll(() => rmSync(directory, { recursive: true }));

function processThat(work: string): ChildProcess {
  const script = `
    import { catchInterrupts } from "${lib}interrupt.ts";
    import { run } from "${lib}run.ts";
    const { signal } = catchInterrupts();
    console.log("ready");
    ${work}`;
  return spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
}

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("%s aborts the signal with INTERRUPTED", async (name) => {
  const child = processThat(`
    const alive = setInterval(() => {}, 1000);
    signal.addEventListener("abort", () => { console.log(signal.reason.code); clearInterval(alive); });`);
  const [ready] = await once(child.stdout as NodeJS.ReadableStream, "data");
  expect(String(ready)).toBe("ready\n");
  child.kill(name);
  const [said] = await once(child.stdout as NodeJS.ReadableStream, "data");
  expect(String(said)).toBe("INTERRUPTED\n");
  expect(await once(child, "close")).toEqual([0, null]);
});

test("a second signal ends the process at once, and the programs it runs with it", async () => {
  const pidFile = join(directory, "pid");
  // A program that ignores the polite end.
  const script = `trap "" TERM; echo $$ > ${pidFile}; while true; do sleep 1; done`;
  const child = processThat(`
    signal.addEventListener("abort", () => console.log("asked"));
    await run("sh", ["-c", ${JSON.stringify(script)}], { signal });`);
  while (!existsSync(pidFile) || readFileSync(pidFile, "utf8") === "") await sleep(5);
  const pid = Number(readFileSync(pidFile, "utf8"));
  const said = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  expect((await said.next()).value).toBe("ready");
  child.kill("SIGINT");
  expect((await said.next()).value).toBe("asked");
  child.kill("SIGINT");
  expect(await once(child, "close")).toEqual([null, "SIGINT"]);
  // Killed already: the kernel has yet to take it down.
  while (isAlive(pid)) await sleep(1);
});
