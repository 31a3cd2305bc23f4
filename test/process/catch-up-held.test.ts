/** `suture catch-up` where a thread stays inside of what one of the fixes changes: the others are live without that one. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shown } from "../fixtures/shown.ts";
import { changed, diffOf, Project } from "./project.ts";
import { Server } from "./server.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");

const SERVER = `#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) int answer(int n)
{
	return n + 1;
}

/*
 * Far enough from each other that their patches do not touch.
 */

__attribute__((noinline)) int serve(void)
{
	char line[64];
	int served = 0;
	while (fgets(line, sizeof line, stdin)) {
		printf("%d\\n", answer(atoi(line)));
		served++;
	}
	return served;
}

/*
 * The same.
 */

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	int served = serve();
	printf("%d served\\n", served);
	return served;
}
`;

let project: Project;
beforeAll(() => {
  project = new Project({ "server.c": SERVER }, "-O2", "-pie");
});
afterAll(() => project.remove());

test("a fix of a function that is never left is left out and named when time is over, and the others are live", async () => {
  const series = join(project.directory, "series");
  mkdirSync(series);
  const counted = changed(SERVER, "served++", "served += 2");
  writeFileSync(join(series, "0001-count.patch"), diffOf("server.c", SERVER, counted));
  writeFileSync(
    join(series, "0002-answer.patch"),
    diffOf("server.c", counted, changed(counted, "return n + 1", "return n < 0 ? 0 : n + 1")),
  );
  await using server = await Server.start([join(project.directory, "server")]);
  expect(await server.ask("-5")).toBe("-4");
  const named = ["--compile-commands", "build/compile_commands.json", "--exe", "server", "--timeout", "5"];
  const env = {
    ...process.env,
    SUTURE_CACHE: join(project.directory, "cache"),
    SUTURE_ROOT: project.directory,
  };
  const { status, stdout } = spawnSync(SUTURE, ["catch-up", "--series", series, ...named, "--json", "-q"], {
    cwd: project.directory,
    encoding: "utf8",
    env,
  });
  expect(status).toBe(2);
  const [{ fixes, results }] = shown(stdout).systems;
  const told = fixes.map((fix: { name: string; state: string; problem?: { code: string; where: string } }) => [
    fix.name,
    fix.state,
    fix.problem?.code,
    fix.problem?.where,
  ]);
  expect(told).toEqual([
    ["0001-count.patch", "waits", "DEADLINE", "serve of server"],
    ["0002-answer.patch", "live", undefined, undefined],
  ]);
  expect(results.map(({ outcome }: { outcome: string }) => outcome)).toEqual(["done"]);
  expect(await server.ask("-5")).toBe("0");
});
