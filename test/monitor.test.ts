/** `suture monitor`, as it is started and ended. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";

const SUTURE = resolve(import.meta.dirname, "../bin/suture");

test("serves until it is interrupted, and ends by that signal", async () => {
  const root = mkdtempSync(join(tmpdir(), "suture-monitor-"));
  const env = { ...process.env, SUTURE_ROOT: root };
  const child = spawn(SUTURE, ["monitor", "--port", "0"], { env, stdio: ["ignore", "pipe", "inherit"] });
  try {
    const [url] = await once(createInterface({ input: child.stdout }), "line");
    const { status, history } = (await (await fetch(`${url}monitor.json`)).json()) as Record<string, unknown>;
    expect(status).toMatchObject({ kernel: expect.stringMatching(/^Linux /), live: expect.any(Array) });
    expect(history).toEqual([]);
    expect(await (await fetch(`${url}metrics`)).text()).toMatch(/^suture_processes_damaged \d+$/m);
    const ended = once(child, "exit");
    child.kill("SIGINT");
    expect(await ended).toEqual([null, "SIGINT"]);
  } finally {
    child.kill("SIGKILL");
    rmSync(root, { recursive: true });
  }
});
