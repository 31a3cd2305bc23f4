import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { isAlive } from "./process-life.ts";
import { run } from "./run.ts";

const directory = mkdtempSync(join(tmpdir(), "suture-run-test-"));
afterAll(() => rmSync(directory, { recursive: true }));

test("what a program prints and its exit code are returned, whatever the code", async () => {
  const result = await run("sh", ["-c", "echo out; echo err >&2; exit 7"]);
  expect(result).toMatchObject({ exitCode: 7, endedBy: null, stdout: "out\n", stderr: "err\n" });
});

test("arguments reach the program as they are, with no shell in between", async () => {
  const args = ["a b", "$HOME", "*", "'\"", "", "é"];
  const { stdout } = await run("printf", ["%s\\0", ...args]);
  expect(stdout.split("\0").slice(0, -1)).toEqual(args);
});

test("standard output is there to the byte", async () => {
  const { bytes } = await run("printf", ["\\377\\000\\200"]);
  expect([...bytes]).toEqual([0xff, 0, 0x80]);
});

test("input, directory and environment are the program's", async () => {
  const result = await run("sh", ["-c", 'cat; pwd; echo "$LC_ALL $NEW ${HOME-none}"'], {
    input: "from stdin\n",
    cwd: "/",
    env: { NEW: "value", HOME: undefined },
  });
  expect(result.stdout).toBe("from stdin\n/\nC value none\n");
});

test("a program that does not read its input is no error", async () => {
  expect(await run("true", [], { input: Buffer.alloc(1 << 20) })).toMatchObject({ exitCode: 0 });
});

test("with check, a failing program throws its command line and its last words", async () => {
  await expect(run("sh", ["-c", "echo first; echo last >&2; exit 3"], { check: true })).rejects.toMatchObject({
    code: "PROGRAM_FAILED",
    message: "sh failed with exit code 3",
    where: "sh -c echo first; echo last >&2; exit 3",
    hint: "last",
  });
});

test("with check, a program without room throws DISK_FULL", async () => {
  await expect(run("dd", ["if=/dev/zero", "of=full", "count=1"], { check: true, cwd: "/dev" })).rejects.toMatchObject({
    code: "DISK_FULL",
    where: "/dev",
  });
});

test("a missing program is named", async () => {
  const env = process.env["PATH"];
  process.env["PATH"] = directory;
  try {
    await expect(run("qemu-system-x86_64", [])).rejects.toMatchObject({
      code: "PROGRAM_MISSING",
      program: "qemu-system-x86_64",
      hint: "install qemu-system-x86_64",
    });
  } finally {
    process.env["PATH"] = env;
  }
});

test("a missing directory is not taken for a missing program", async () => {
  const cwd = join(directory, "absent");
  await expect(run("true", [], { cwd })).rejects.toMatchObject({ code: "DIRECTORY_MISSING", where: cwd });
});

test("an abort ends the program and all that it started, and throws the reason", async () => {
  const pids = join(directory, "pids");
  const controller = new AbortController();
  // The first ignores the polite signal, so that only the second one ends it.
  const script = `trap '' TERM; sleep 100 & echo $$ $! > ${pids}; wait; sleep 100`;
  const running = run("sh", ["-c", script], { signal: controller.signal });
  while (!existsSync(pids) || readFileSync(pids, "utf8") === "") await sleep(5);
  controller.abort();
  await expect(running).rejects.toMatchObject({ code: "INTERRUPTED" });
  const started = readFileSync(pids, "utf8").trim().split(" ").map(Number);
  expect(started).toHaveLength(2);
  // Killed already: the kernel has yet to take them down.
  while (started.some((pid) => isAlive(pid))) await sleep(1);
});

test("an aborted signal starts nothing", async () => {
  const made = join(directory, "made");
  await expect(run("touch", [made], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "INTERRUPTED" });
  expect(existsSync(made)).toBe(false);
});

test("a program that takes too long is ended", async () => {
  await expect(run("sleep", ["100"], { timeoutSeconds: 0.05 })).rejects.toMatchObject({
    code: "PROGRAM_TIMED_OUT",
    where: "sleep 100",
  });
});

test("a program that prints without end is ended, and memory stays bounded", async () => {
  const before = process.memoryUsage().rss;
  await expect(run("yes", [], { maxOutput: 1 << 20 })).rejects.toMatchObject({ code: "OUTPUT_TOO_LARGE" });
  expect(process.memoryUsage().rss - before).toBeLessThan(200 << 20);
});

test("output of just the limit is whole, and errors beyond it are cut off", async () => {
  const result = await run("sh", ["-c", "printf 1234; printf 12345678 >&2"], { maxOutput: 4 });
  expect(result).toMatchObject({ stdout: "1234", stderr: "1234" });
});
