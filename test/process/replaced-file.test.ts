/** A service whose file was replaced on disk while it runs: a livepatch is for what runs. */
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { CaseProgram } from "./case-program.ts";
import { TWICE, TWICE_FIXED } from "./twice.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");

test("/proc/PID/exe is what runs, under the name that it was started by", async () => {
  using program = new CaseProgram({ "main.c": [TWICE, TWICE_FIXED] });
  program.compile("gcc -O2", "main.c").shell("gcc -o prog main.o -Wl,--build-id");
  await using running = await program.run("./prog");
  program.shell("gcc -O1 -o prog.new main.c -Wl,--build-id && mv prog.new prog");
  expect(program.build("prog").status).not.toBe(0);
  const { status, result } = program.build(`/proc/${running.pid}/exe`);
  expect({ status, metadata: result.metadata }).toMatchObject({
    status: 0,
    metadata: { objects: [{ name: "prog", path: program.path("prog") }] },
  });
  const loaded = spawnSync(SUTURE, ["load", "-q", program.livepatchPath, "--pid", String(running.pid)]);
  expect(loaded.status, String(loaded.stderr)).toBe(0);
  expect(await running.ask("4")).toBe("9");
});
