/** Which of the functions that a diff changes what ships has without it, and which with it. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Cache } from "../../src/lib/cache.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { changedCode } from "../../src/subject/program/changed-code.ts";
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
	return calls + (argc > 9 ? __LINE__ : 0);
}
`;
const FILES = {
  "server.c": SERVER,
  "calls.c": "int calls;\n",
  "server.h": "extern int calls;\nstruct never_used { int a; };\n",
};
/** With a line more, by which what stands behind it is another code too. */
const FIXED = changed(SERVER, "sum += i * n + 7", "sum += i * n\n\t\t\t+ 8");

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

async function changedIn({ directory }: Project, path: keyof typeof FILES, text: string) {
  const options = {
    cache: new Cache(join(directory, "cache")),
    progress: silentProgress,
    signal: new AbortController().signal,
    jobs: 1,
  };
  const opened = async (source: string) =>
    await openProgram(
      {
        kind: "commands",
        commands: join(source, "build/compile_commands.json"),
        executables: [join(directory, "server")],
        source,
      },
      [],
      options,
    );
  // The source with the fix, compiled as the other one.
  await using beside = await temporaryDirectory();
  cpSync(directory, beside.path, { recursive: true, filter: (path) => !path.endsWith("/cache") });
  writeFileSync(join(beside.path, path), text);
  const commands = readFileSync(join(directory, "build/compile_commands.json"), "utf8");
  writeFileSync(join(beside.path, "build/compile_commands.json"), commands.replaceAll(directory, beside.path));
  const diff = { name: "fix.patch", data: Buffer.from(diffOf(path, FILES[path], text)) };
  const { forms, isMore } = await changedCode(
    { program: await opened(directory), withIt: await opened(beside.path) },
    diff,
    options,
  );
  return [Object.fromEntries(forms), isMore];
}

const SECOND = "second of server.c in server";

test("a function is as it is without a fix in what was built without it, and as with it in what was built so", async () => {
  expect(await changedIn(without, "server.c", FIXED)).toEqual([{ [SECOND]: "without" }, false]);
  expect(await changedIn(withIt, "server.c", FIXED)).toEqual([{ [SECOND]: "with" }, false]);
  expect(await changedIn(withIt, "server.c", changed(SERVER, "i * n + 7", "i * n + 9"))).toEqual([
    { [SECOND]: "neither" },
    false,
  ]);
});

test("a fix that could not be patched is told all the same", async () => {
  const withData = changed(FIXED, "{ 3, 1, 4", "{ 3, 1, 5");
  expect(await changedIn(without, "server.c", withData)).toEqual([{ [SECOND]: "without" }, true]);
});

test("what changes no code is told so, and that data alone differs", async () => {
  const changedType = changed(FILES["server.h"], "int a;", "int a, b;");
  expect(await changedIn(without, "server.h", changedType)).toEqual([{}, false]);
  expect(await changedIn(without, "server.c", changed(SERVER, "9, 2, 6", "9, 2, 7"))).toEqual([{}, true]);
});
