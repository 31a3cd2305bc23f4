/** Whether what ships was built without a diff, told by its code alone. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cache } from "../../src/lib/cache.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { lacks } from "../../src/subject/program/lacks.ts";
import { openProgram } from "../../src/subject/program/open-program.ts";
import { changed, diffOf, Project } from "./project.ts";

const SERVER = `#include <stdio.h>
#include <stdlib.h>
#include "server.h"
static const int table[] = { 3, 1, 4, 1, 5, 9, 2, 6 };

__attribute__((noinline)) int first(int n) { calls++; return n * 3 + table[n & 7]; }

__attribute__((noinline)) int second(int n)
{
	int sum = 0;
	for (int i = 0; i < n; i++)
		sum += i * n + 7;
	return sum;
}

int main(int argc, char **argv)
{
	printf("%d %d\\n", first(argc), second(atoi(argv[1])));
	return calls;
}
`;
const FILES = {
  "server.c": SERVER,
  "calls.c": "int calls;\n",
  "server.h": "extern int calls;\nstruct never_used { int a; };\n",
};
const FIXED = changed(SERVER, "i * n + 7", "i * n + 8");

let without: Project;
let withIt: Project;
beforeAll(() => {
  without = new Project(FILES, "-O2", "-pie");
  withIt = new Project({ ...FILES, "server.c": FIXED }, "-O2", "-pie");
  // What is built has the fix, and the source beside it has it not.
  writeFileSync(join(withIt.directory, "server.c"), SERVER);
});
afterAll(() => {
  without.remove();
  withIt.remove();
});

async function lackedIn({ directory }: Project, path: keyof typeof FILES, text: string) {
  const options = {
    cache: new Cache(join(directory, "cache")),
    progress: silentProgress,
    signal: new AbortController().signal,
    jobs: 1,
  };
  const choice = {
    kind: "commands",
    commands: join(directory, "build/compile_commands.json"),
    executables: [join(directory, "server")],
    source: directory,
  } as const;
  const diff = { name: "fix.patch", data: Buffer.from(diffOf(path, FILES[path], text)) };
  return await lacks(await openProgram(choice, [diff], options), diff, options);
}

test("a program lacks a fix where its functions are those without it, and has it where they are not", async () => {
  expect(await lackedIn(without, "server.c", FIXED)).toBe("yes");
  expect(await lackedIn(withIt, "server.c", FIXED)).toBe("no");
});

test("a fix that could not be patched is told all the same", async () => {
  const withData = changed(FIXED, "{ 3, 1, 4", "{ 3, 1, 5");
  expect(await lackedIn(without, "server.c", withData)).toBe("yes");
  expect(await lackedIn(withIt, "server.c", withData)).toBe("no");
});

test("what changes no code is told so, and where data alone differs that it is not clear", async () => {
  expect(await lackedIn(without, "server.h", changed(FILES["server.h"], "int a;", "int a, b;"))).toBe("same");
  expect(await lackedIn(without, "server.c", changed(SERVER, "9, 2, 6", "9, 2, 7"))).toBe("unclear");
});
