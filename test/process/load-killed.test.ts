import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { readProgramLivepatch } from "../../src/process/loader/livepatch.ts";
import { patchedState } from "../../src/targets/process/look.ts";
import { ProcessTarget } from "../../src/targets/process/process-target.ts";
import { livepatch, type Program, program } from "../fixtures/patched-program.ts";
import { SERVER_SOURCE, Server } from "./server.ts";

const SUTURE = join(import.meta.dirname, "../../bin/suture");
const KILLS = 24;
let directory: TemporaryDirectory;
let served: Program;
let fix: string;

beforeAll(async () => {
  directory = await temporaryDirectory();
  served = program({ directory: directory.path, name: "served", source: SERVER_SOURCE });
  fix = livepatch(served, SERVER_SOURCE.replace("return base + scale(n);", "return base + scale(n) + 1000;"));
});

afterAll(async () => {
  await directory[Symbol.asyncDispose]();
});

/** Without what grows by itself, and the page that the kernel keeps of its uprobes. */
function mappings(pid: number): string {
  return readFileSync(`/proc/${pid}/maps`, "utf8").replaceAll(/^.*\[(heap|uprobes)\]\n/gm, "");
}

/** Starts a command, which attaches after some time, and kills it a little later. */
async function killed(args: readonly string[], pid: number, afterMs: number): Promise<void> {
  const child = spawn(SUTURE, args, { stdio: "ignore" });
  const ended = once(child, "exit");
  const isTraced = (): boolean => /^TracerPid:\t[1-9]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  while (child.exitCode === null && !isTraced()) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  child.kill("SIGKILL");
  await ended;
}

test("a command that is killed at any moment leaves a program that answers, and the next command finds its true state", async () => {
  await using server = await Server.start([served.path, "3"]);
  const clean = mappings(server.pid);
  const patch = readProgramLivepatch(readFileSync(fix), fix);
  const consistencies = ["stop", "lazy", "hybrid"] as const;
  for (let round = 0; round < KILLS; round++) {
    const consistency = consistencies[round % 3] ?? "hybrid";
    const isLoading = patchedState(server.pid)?.core.layers.length !== 1;
    const args = isLoading ? ["load", fix, "--pid", String(server.pid)] : ["disable", "fix"];
    await killed([...args, "--consistency", consistency], server.pid, (round * 7) % 45);
    expect(await server.ask("a1")).toMatch(/^1?110 /);
    const target = new ProcessTarget(server.pid, { consistency });
    if (round % 2 === 0) {
      expect(
        await target.load(patch).then(({ outcome, problems }) => problems[0]?.code ?? outcome),
        `round ${round}`,
      ).toMatch(/done|unchanged|ALREADY_LOADED/);
      if (patchedState(server.pid)?.core.layers.length === 0) await target.enable("fix");
      expect(await server.ask("a1")).toMatch(/^1110 /);
    } else {
      await target.disable("fix");
      await target.unload("fix");
      expect(await server.ask("a1"), `round ${round}`).toMatch(/^110 /);
      expect(mappings(server.pid), `round ${round}`).toBe(clean);
    }
  }
  expect(await server.ask("w")).toMatch(/^\d+ 0$/);
});
