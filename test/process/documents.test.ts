import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { shown } from "../fixtures/shown.ts";
import { CaseProgram } from "./case-program.ts";
import { TWICE, TWICE_FIXED } from "./twice.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");

test("every command prints what its schema says, from the build of a livepatch to its end", async () => {
  using program = new CaseProgram({ "main.c": [TWICE, TWICE_FIXED] });
  program.compile("gcc -O2", "main.c").shell("gcc -o prog main.o -Wl,--build-id");
  const suture = (...args: readonly string[]) => {
    const ran = spawnSync(SUTURE, [...args, "--json", "-q"], { cwd: program.source, encoding: "utf8" });
    if (ran.stdout === "") throw new Error(`suture ${args[0]} ended with ${ran.status ?? ran.signal}: ${ran.stderr}`);
    return { status: ran.status, document: shown(ran.stdout) };
  };
  // `build` holds its own output to the schema.
  expect(program.build("prog").status).toBe(0);
  const { livepatchPath, diffPath } = program;
  expect(suture("explain", livepatchPath).document).toMatchObject({ document: { name: "explain" }, kind: "program" });
  const compiled = ["--compile-commands", "compile_commands.json", "--exe", program.path("prog")];
  expect(suture("audit", ...compiled, livepatchPath, diffPath).document).toMatchObject({ findings: [] });

  await using running = await program.run("./prog");
  const where = ["--pid", String(running.pid)];
  for (const verb of ["preflight", "load"])
    expect(suture(verb, livepatchPath, ...where)).toMatchObject({ status: 0, document: { document: { name: verb } } });
  const named = { pid: running.pid, patches: [{ name: "livepatch_fix", enabled: true }] };
  expect(suture("list").document.processes).toContainEqual(expect.objectContaining({ pid: running.pid }));
  expect(suture("info", "livepatch_fix", ...where).document).toMatchObject({ processes: [named] });
  for (const verb of ["disable", "enable", "force", "unload"]) {
    const { document } = suture(verb, "livepatch_fix", ...where);
    expect(document.document).toEqual({ name: verb, version: 1 });
  }
  expect(suture("signal", "livepatch_fix")).toMatchObject({ document: { document: { name: "signal" } } });
  expect(suture("info", "livepatch_fix", ...where)).toMatchObject({
    status: 1,
    document: { document: { name: "error", version: 1 }, error: { code: "NO_SUCH_PATCH" } },
  });
});
