/** What a process or a file calls itself is shown to root's terminal, and cannot tell it anything. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { livepatch, type Program, program } from "../fixtures/patched-program.ts";
import { SERVER_SOURCE, Server } from "./server.ts";

const SUTURE = join(import.meta.dirname, "../../bin/suture");
/** Colours, a second line, another title; in C and as text. */
const NAME = "\\033[31m\\n1 s\\033[2J";
const SOURCE = SERVER_SOURCE.replace("#include <pthread.h>", "#include <pthread.h>\n#include <sys/prctl.h>").replace(
  "char line[64];",
  `char line[64]; prctl(PR_SET_NAME, "${NAME}", 0, 0, 0);`,
);
let directory: TemporaryDirectory;
let served: Program;
let slow: string;

beforeAll(async () => {
  directory = await temporaryDirectory();
  served = program({ directory: directory.path, name: "served", source: SOURCE });
  slow = livepatch(served, SOURCE.replace("usleep(n * 1000); return base", "usleep(n * 1000); return 1000 + base"));
});
afterAll(async () => await directory[Symbol.asyncDispose]());

/** All that a command says, on both streams. */
function said(...args: string[]): string {
  const { stdout, stderr } = spawnSync(SUTURE, args, { encoding: "utf8" });
  return stdout + stderr;
}

test("every command shows a process's and a thread's name escaped, in one line", async () => {
  await using server = await Server.start([served.path, "0", "600000"]);
  const pid = String(server.pid);
  const commands = [
    ["preflight", slow, "--pid", pid],
    ["load", slow, "--pid", pid, "--timeout", "0.2", "--keep"],
    ["list"],
    ["list", "--json"],
    ["info", "fix"],
    ["disable", "fix", "--pid", pid, "--timeout", "0.2", "--json"],
    ["unload", "fix", "--pid", pid, "--timeout", "0.2"],
  ];
  let named = 0;
  for (const args of commands) {
    const text = said(...args);
    expect([args, text]).not.toEqual([args, ""]);
    expect([args, text.replaceAll("\n", "")]).not.toEqual([args, expect.stringMatching(/[\p{Cc}\p{Cf}]/u)]);
    if (/\\(x1b|u001b)/.test(text)) named++;
  }
  expect(named).toBeGreaterThan(3);
});
