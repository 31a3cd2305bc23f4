/** `suture catch-up` of a library and two programs: what is told to be live is so entirely, wherever a part of it lies. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shown } from "../fixtures/shown.ts";
import { changed, diffOf } from "./project.ts";
import { Server } from "./server.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");

const LOOP = `
int main(void)
{
	char line[64];
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (fgets(line, sizeof line, stdin))
		printf("%d\\n", line[0] == 'l' ? in_library(atoi(line + 1)) : here(atoi(line + 1)));
	return 0;
}
`;
const HEAD = `#include <stdio.h>
#include <stdlib.h>
int in_library(int n);
`;
const FILES: Readonly<Record<string, string>> = {
  "server.c": `${HEAD}int server_scale(int n);
int server_small(int n);
__attribute__((noinline)) int here(int n) { return n == 7 ? server_small(n) : server_scale(n) + 1; }
${LOOP}`,
  "other.c": `${HEAD}int asked;
__attribute__((noinline)) int here(int n) { asked += n; return n + 2; }
${LOOP}`,
  // Compiled into the server and into the library, with other options.
  "scale.c": `#define JOIN(a, b) a##_##b
#define NAME(a, b) JOIN(a, b)
__attribute__((noinline)) int NAME(ROLE, scale)(int n)
{
	int sum = 0;
	for (int i = 0; i < n; i++) {
		sum += FACTOR;
		if (sum > 1000 && (sum & 64) == 0)
			sum ^= i;
	}
	return sum;
}
`,
  // The same, and next to nothing.
  "small.c": `#define JOIN(a, b) a##_##b
#define NAME(a, b) JOIN(a, b)
__attribute__((noinline)) int NAME(ROLE, small)(int n) { return n * FACTOR; }
`,
  "library.c": `int plugged(int n);
int library_scale(int n);
int library_small(int n);
__attribute__((noinline)) int in_library(int n)
{
	return n < 0 ? plugged(n) : n == 7 ? library_small(n) : library_scale(n) + 3;
}
`,
  "contrib/plugin.c": `int limit = 40;
int calls;
__attribute__((noinline)) int bounded(int n) { calls++; return -n > limit ? limit : -n; }

/*
 * Far enough from each other that their patches do not touch.
 */

__attribute__((noinline)) int plugged(int n) { calls--; return bounded(n) - 4; }
`,
  "windows.c": "int windows(int n) { return n; }\n",
  "contrib/copy-id": "#!/bin/sh\necho copied\n",
};

type Edit = readonly [path: string, from: string, to: string];
const EDITS: readonly (readonly [name: string, ...edits: readonly Edit[]])[] = [
  ["both.patch", ["server.c", "+ 1;", "+ 101;"], ["library.c", "+ 3;", "+ 103;"]],
  ["twice.patch", ["scale.c", "sum += FACTOR", "sum += FACTOR * 10"]],
  ["small.patch", ["small.c", "n * FACTOR", "n * FACTOR * 10"]],
  ["windows.patch", ["windows.c", "return n", "return n + 1"], ["other.c", "n + 2", "n + 202"]],
  ["limit.patch", ["contrib/plugin.c", "limit = 40", "limit = 30"], ["contrib/plugin.c", "? limit", "> 1 ? limit"]],
  ["plugged.patch", ["contrib/plugin.c", "bounded(n) - 4", "bounded(n) - 5"]],
  ["copied.patch", ["contrib/copy-id", "copied", "copied all"], ["server.c", "+ 101;", "+ 102;"]],
];

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "suture-whole-"));
  write("", FILES);
  const build = join(directory, "build");
  mkdirSync(build);
  const units = [
    ["server.c", "-fPIE"],
    ["other.c", "-fPIE"],
    ["scale.c", "-fPIE -DROLE=server -DFACTOR=2", "server-scale"],
    ["scale.c", "-fPIC -O1 -DROLE=library -DFACTOR=3", "library-scale"],
    ["small.c", "-fPIE -DROLE=server -DFACTOR=2", "server-small"],
    ["small.c", "-fPIC -O1 -DROLE=library -DFACTOR=3", "library-small"],
    ["library.c", "-fPIC"],
    ["contrib/plugin.c", "-fPIC"],
  ] as const;
  const commands = units.map(([source, flags, name = source.replace("/", "-")]) => {
    const command = `gcc -O2 ${flags} -o ${name}.o -c ../${source}`;
    execFileSync("sh", ["-c", command], { cwd: build });
    return { directory: build, command, file: `../${source}` };
  });
  writeFileSync(join(build, "compile_commands.json"), JSON.stringify(commands));
  for (const link of [
    "-shared -Wl,-soname,libx.so -o ../libx.so library.c.o library-scale.o library-small.o contrib-plugin.c.o",
    "-pie -o ../server server.c.o server-scale.o server-small.o ../libx.so -Wl,-rpath,'$ORIGIN/.'",
    "-pie -o ../other other.c.o ../libx.so -Wl,-rpath,'$ORIGIN/.'",
  ])
    execFileSync("sh", ["-c", `gcc ${link}`], { cwd: build });
  execFileSync("strip", ["server", "other", "libx.so"], { cwd: directory });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function write(below: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, below, path)), { recursive: true });
    writeFileSync(join(directory, below, path), text);
  }
}

function writeSeries(): void {
  const texts = { ...FILES };
  const patches = EDITS.map(([name, ...edits]) => {
    const before = { ...texts };
    for (const [path, from, to] of edits) texts[path] = changed(texts[path] ?? "", from, to);
    const paths = [...new Set(edits.map(([path]) => path))];
    return [name, paths.map((path) => diffOf(path, before[path], texts[path])).join("")] as const;
  });
  write("series", Object.fromEntries(patches));
  write("series", { series: EDITS.map(([name]) => `${name}\n`).join("") });
}

test("a fix is live in every program and library that it is part of, and waits where a part of it cannot be", async () => {
  writeSeries();
  await using server = await Server.start([join(directory, "server")]);
  await using other = await Server.start([join(directory, "other")]);
  const ask = async (): Promise<string[]> => [
    await server.ask("h5"),
    await server.ask("l5"),
    await other.ask("h5"),
    await other.ask("l5"),
    await other.ask("l-50"),
    await server.ask("h7"),
    await server.ask("l7"),
  ];
  expect(await ask()).toEqual(["11", "18", "7", "18", "36", "14", "21"]);
  const named = ["server", "other", "libx.so"].flatMap((name) => ["--exe", name]);
  const { stdout } = spawnSync(
    SUTURE,
    ["catch-up", "--series", "series", "--compile-commands", "build/compile_commands.json", ...named, "--json", "-q"],
    {
      cwd: directory,
      encoding: "utf8",
      env: { ...process.env, SUTURE_CACHE: join(directory, "cache"), SUTURE_ROOT: directory },
    },
  );
  const [{ fixes, pids }] = shown(stdout).systems;
  expect(pids).toEqual([server.pid, other.pid].sort((a, b) => a - b));
  expect(
    fixes.map(({ name, state, problem }: { name: string; state: string; problem?: { code: string } }) => [
      name,
      state,
      problem?.code,
    ]),
  ).toEqual([
    ["both.patch", "live", undefined],
    ["twice.patch", "live", undefined],
    // So small that its code in the server says nothing: it may be part of that, or not.
    ["small.patch", "waits", "NOT_IN_PROGRAM"],
    ["windows.patch", "live", undefined],
    // What it changes is in use; the next one calls what it changes.
    ["limit.patch", "waits", "DATA_CHANGED"],
    ["plugged.patch", "waits", "NEEDS_LEFT_OUT"],
    ["copied.patch", "waits", "NOT_ONLY_CODE"],
  ]);
  expect(await ask()).toEqual(["201", "253", "207", "253", "36", "14", "21"]);
});
