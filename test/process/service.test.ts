/** The whole way on a small service: from a diff to its running processes and back, by the commands that a user gives. */

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { shown } from "../fixtures/shown.ts";
import { SERVER_SOURCE, Server } from "./server.ts";

const SUTURE = join(import.meta.dirname, "../../bin/suture");

const QUOTA = `#include "quota.h"
#include <stdio.h>
static int used[4];
static long history[4][8];
static int check(int user) { return used[user & 3] <= QUOTA_LIMIT; }
__attribute__((noinline)) int quota_take(int user, int amount)
{
	used[user & 3] += amount;
	return check(user) ? used[user & 3] : -1;
}
void quota_note(int user, long amount)
{
	for (int at = 7; at > 0; at--) history[user & 3][at] = history[user & 3][at - 1] * 3 + at;
	history[user & 3][0] = amount;
}
int quota_show(int user, char *into, int size)
{
	long sum = 0;
	for (int at = 0; at < 8; at++) sum += history[user & 3][at] ^ (at * 77);
	return snprintf(into, size, "user %d: %d used, %ld in all", user, used[user & 3], sum);
}
`;
const QUOTA_HEADER =
  "#define QUOTA_LIMIT 100\nint quota_take(int user, int amount);\nvoid quota_note(int user, long amount);\nint quota_show(int user, char *into, int size);\n";

interface Result {
  readonly outcome: string;
  readonly pid: number;
  readonly cost?: { readonly stopsUs: readonly number[] };
}

test("a diff becomes a livepatch, which goes into running processes, is seen there, and goes out again", async () => {
  await using directory = await temporaryDirectory();
  const root = directory.path;
  const suture = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(SUTURE, [...args, "--json"], {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, SUTURE_CACHE: join(root, "cache") },
    });
    return { status, stderr, json: stdout === "" ? null : shown(stdout) };
  };
  const results = (of: { json: { results: readonly Result[] } }) => of.json.results.map(({ outcome }) => outcome);

  mkdirSync(join(root, "src"));
  const main = SERVER_SOURCE.replace("#include <stdio.h>", '#include <stdio.h>\n#include "quota.h"').replace(
    "case 'o': printf",
    "case 'q': printf(\"%d\\n\", quota_take(1, n)); break;\n\t\tcase 'o': printf",
  );
  const files = { "main.c": main, "quota.c": QUOTA, "quota.h": QUOTA_HEADER };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, "src", name), text);
  const flags = ["-O2", "-g0", "-fPIE", "-fstack-protector-strong", "-Wall"];
  const units = ["main", "quota"].map((name) => ({
    directory: root,
    file: `src/${name}.c`,
    arguments: ["gcc", ...flags, "-c", `src/${name}.c`, "-o", `${name}.o`],
  }));
  for (const unit of units) execFileSync("gcc", unit.arguments.slice(1), { cwd: root });
  execFileSync("gcc", ["-pie", "-o", "service", "main.o", "quota.o", "-lpthread", "-Wl,--build-id"], { cwd: root });
  execFileSync("strip", ["service"], { cwd: root });
  writeFileSync(join(root, "compile_commands.json"), JSON.stringify(units));

  const fix = join(root, "fix.patch");
  writeFileSync(
    fix,
    `--- a/src/quota.c
+++ b/src/quota.c
@@ -5,6 +5,7 @@ static long history[4][8];
 static int check(int user) { return used[user & 3] <= QUOTA_LIMIT; }
 __attribute__((noinline)) int quota_take(int user, int amount)
 {
+	if (amount < 0 || used[user & 3] + amount > QUOTA_LIMIT) return -2;
 	used[user & 3] += amount;
 	return check(user) ? used[user & 3] : -1;
 }
`,
  );

  await using one = await Server.start([join(root, "service"), "3"]);
  await using two = await Server.start([join(root, "service"), "1"]);
  expect([await one.ask("q60"), await one.ask("q-20"), await one.ask("q90")]).toEqual(["60", "40", "-1"]);

  const built = suture("build", "--compile-commands", "compile_commands.json", "--exe", "service", "fix.patch");
  expect(built, built.stderr).toMatchObject({ status: 0, json: { kind: "built" } });
  const livepatch = built.json.path as string;
  expect(suture("explain", livepatch).json).toMatchObject({
    ...{ kind: "program", objects: [{ name: "service" }] },
    diffs: [readFileSync(fix, "utf8")],
  });
  const name = built.json.metadata.name as string;
  const printed = spawnSync(SUTURE, ["explain", "--diff", livepatch], { encoding: "utf8" });
  expect(printed.stdout).toBe(readFileSync(fix, "utf8"));
  const without = ["--no-diff", "-o", "without.o", fix];
  const other = suture("build", "--compile-commands", "compile_commands.json", "--exe", "service", ...without);
  expect(other.json).not.toHaveProperty("metadata.diffs");
  const refused = spawnSync(SUTURE, ["explain", "--diff", "without.o"], { cwd: root, encoding: "utf8" });
  expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining("DIFF_NOT_KEPT")]);

  const preflight = suture("preflight", livepatch, "--all");
  expect({ status: preflight.status, outcomes: results(preflight) }).toEqual({ status: 0, outcomes: ["done", "done"] });
  const load = suture("load", livepatch, "--all");
  expect({ status: load.status, outcomes: results(load) }).toEqual({ status: 0, outcomes: ["done", "done"] });
  expect((load.json.results as Result[]).every(({ cost }) => (cost?.stopsUs.length ?? 0) > 0)).toBe(true);
  expect([await one.ask("q-20"), await one.ask("q90"), await two.ask("q60")]).toEqual(["-2", "-2", "60"]);

  const list = suture("list").json.processes as { pid: number; patches: { name: string; enabled: boolean }[] }[];
  expect(list.filter(({ pid }) => [one.pid, two.pid].includes(pid)).map(({ patches }) => patches)).toMatchObject([
    [{ name, enabled: true }],
    [{ name, enabled: true }],
  ]);
  expect(JSON.stringify(suture("info", name).json)).toContain("src/quota.c");

  expect(results(suture("disable", name))).toEqual(["done", "done"]);
  expect(await two.ask("q-20")).toBe("40");
  expect(results(suture("enable", name, "--consistency", "lazy", "--pid", String(two.pid)))).toEqual(["done"]);
  expect(await two.ask("q-20")).toBe("-2");
  expect(results(suture("disable", name)).toSorted()).toEqual(["done", "unchanged"]);
  expect(results(suture("unload", name))).toEqual(["done", "done"]);
  expect(suture("list").json.processes.filter(({ pid }: Result) => [one.pid, two.pid].includes(pid))).toEqual([]);
  expect(await one.ask("w")).toMatch(/^\d+ 0$/);
  expect(readFileSync(join(root, "src/quota.c"), "utf8")).toBe(QUOTA);
});
