/** `suture catch-up --series` for a program that runs: which fixes of a made-up series are live, and why the others wait. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shown } from "../fixtures/shown.ts";
import { changed, Project } from "./project.ts";
import { Server } from "./server.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");

const SERVER = `#include <stdio.h>
#include <stdlib.h>
#include "server.h"
int limit = 100;

__attribute__((noinline)) int first(int n) { calls++; return n + 1; }

/*
 * Far enough from each other that their patches do not touch.
 */

__attribute__((noinline)) int second(int n) { calls++; return n * 2; }

/*
 * The same.
 */

__attribute__((noinline)) int third(int n) { calls++; return n > limit ? limit : n; }

int main(void)
{
	char line[64];
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (fgets(line, sizeof line, stdin)) {
		int n = atoi(line + 1);
		switch (line[0]) {
		case '1': n = first(n); break;
		case '2': n = second(n); break;
		case '3': n = third(n); break;
		case '4': n = fourth(n); break;
		case '5': n = fifth(n) + sixth(n); break;
		}
		printf("%d\\n", n);
	}
	return 0;
}
`;
const OTHER = `#include "server.h"
int calls;
__attribute__((noinline)) int fifth(int n) { calls += n; return n * n; }
__attribute__((noinline)) int sixth(int n) { calls -= n; return n / 3; }
__attribute__((noinline)) int fourth(int n) { calls++; return n - 4; }
`;
const FILES: Readonly<Record<string, string>> = {
  "src/server.c": SERVER,
  "src/other.c": OTHER,
  "src/server.h": "extern int calls;\nint fourth(int n);\nint fifth(int n);\nint sixth(int n);\n",
  "README.md": "A server.\n",
  "share/menu.py": "print('menu')\n",
};

const EDITS: readonly (readonly [
  name: string,
  ...edits: readonly (readonly [path: string, from: string, to: string])[],
])[] = [
  ["CVE-2026-1001.patch", ["src/server.c", "return n + 1", "return n < 0 ? 0 : n + 1"]],
  [
    "bounded.patch",
    [
      "src/server.h",
      "int fourth(int n);",
      "int fourth(int n);\nstatic inline int bounded(int n) { return n > 50 ? 50 : n; }",
    ],
  ],
  ["CVE-2026-1002.patch", ["src/other.c", "return n - 4", "return bounded(n) - 4"]],
  ["loop.patch", ["src/server.c", "int n = atoi(line + 1);", "int n = atoi(line + 1) + (calls < 0);"]],
  ["after-loop.patch", ["src/server.c", "return 0;\n}", "return calls < 0;\n}"]],
  ["CVE-2026-1003-1.patch", ["src/server.c", "n > limit ? limit : n", "n >= limit ? limit : n < 0 ? 0 : n"]],
  ["CVE-2026-1003-2.patch", ["src/server.c", "int limit = 100", "int limit = 90"]],
  ["words.patch", ["README.md", "A server.", "The server."]],
  ["menu.patch", ["share/menu.py", "menu", "the menu"], ["src/server.c", "return n * 2", "return n * 2 + (calls < 0)"]],
];

let project: Project;
beforeAll(() => {
  project = new Project(FILES, "-O2", "-pie");
});
afterAll(() => project.remove());

function writeSeries(directory: string, edits: typeof EDITS): void {
  const texts = { ...FILES };
  mkdirSync(directory);
  for (const [name, ...parts] of edits) {
    const diffs = parts.map(([path, from, to]) => {
      const before = texts[path] ?? "";
      texts[path] = changed(before, from, to);
      return diffOf(path, before, texts[path]);
    });
    writeFileSync(join(directory, name), `Subject: ${name}\n\n${diffs.join("")}`);
  }
  writeFileSync(join(directory, "series"), `# in order\n${edits.map(([name]) => name).join("\n")}\n`);
}

function diffOf(path: string, before: string, after: string): string {
  const [a, b] = [before, after].map((text, i) => {
    const file = join(project.directory, "diffs", String(i), path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  }) as [string, string];
  const labels = ["--label", `a/${path}`, "--label", `b/${path}`];
  return spawnSync("diff", ["-u", ...labels, a, b], { encoding: "utf8" }).stdout;
}

function suture(args: readonly string[]) {
  const env = { ...process.env, SUTURE_CACHE: join(project.directory, "cache"), SUTURE_ROOT: project.directory };
  const { status, stdout, stderr } = spawnSync(SUTURE, [...args, "--json", "-q"], {
    cwd: project.directory,
    encoding: "utf8",
    env,
  });
  if (stdout === "") throw new Error(stderr);
  return { status, result: shown(stdout) };
}

function catchUp(series: string, ...more: readonly string[]) {
  const named = ["--compile-commands", "build/compile_commands.json", "--exe", "server"];
  const { status, result } = suture(["catch-up", "--series", series, ...named, ...more]);
  const [system] = result.systems ?? [];
  const fixes = system?.fixes.map((fix: { name: string; state: string; problem?: { code: string } }) => [
    fix.name,
    fix.state,
    fix.problem?.code,
  ]);
  return { status, result, system, fixes };
}

const STATES = [
  ["CVE-2026-1001.patch", "live", undefined],
  ["bounded.patch", "live", undefined],
  ["CVE-2026-1002.patch", "live", undefined],
  ["loop.patch", "waits", "NEVER_RETURNS"],
  ["after-loop.patch", "waits", "NEEDS_LEFT_OUT"],
  ["CVE-2026-1003-1.patch", "waits", "DATA_CHANGED"],
  ["words.patch", "not-concerned", undefined],
  ["menu.patch", "waits", "NOT_ONLY_CODE"],
];

test("all fixes that can be had whole are live in what runs, and of each other one it is told why it waits", async () => {
  writeSeries(join(project.directory, "series"), EDITS);
  await using server = await Server.start([join(project.directory, "server")]);
  const ask = async (): Promise<string[]> => {
    const answers: string[] = [];
    for (const question of ["1-5", "4100", "3100", "3-1"]) answers.push(await server.ask(question));
    return answers;
  };
  expect(await ask()).toEqual(["-4", "96", "100", "-1"]);

  const dry = catchUp("series", "--dry-run");
  expect(dry.system.pids).toEqual([server.pid]);
  expect(dry.fixes).toEqual(STATES.map(([name, state, code]) => [name, state === "live" ? "ready" : state, code]));
  expect(await ask()).toEqual(["-4", "96", "100", "-1"]);

  const { status, fixes, system } = catchUp("series");
  expect(fixes).toEqual(STATES);
  expect(status).toBe(2);
  expect(system.results.map(({ pid, outcome }: { pid: number; outcome: string }) => [pid, outcome])).toEqual([
    [server.pid, "done"],
  ]);
  // Of the two parts of a fix the one that could be had alone is not there.
  expect(await ask()).toEqual(["0", "46", "100", "-1"]);

  // A later upload: one livepatch again, in the place of the first.
  writeSeries(join(project.directory, "later"), [
    ["wrong.patch", ["src/server.c", "return n * 2", "return n * 3"]],
    ["right.patch", ["src/server.c", "return n * 3", "return n * 2"]],
    ...EDITS,
    ["CVE-2026-1004.patch", ["src/other.c", "- 4", "- 14"]],
  ]);
  const later = catchUp("later");
  // What a later one has taken back is nowhere.
  expect(later.fixes).toEqual([
    ["wrong.patch", "not-concerned", undefined],
    ["right.patch", "not-concerned", undefined],
    ...STATES,
    ["CVE-2026-1004.patch", "live", undefined],
  ]);
  expect(await ask()).toEqual(["0", "36", "100", "-1"]);
  expect(await server.ask("2100")).toBe("200");
  const { result } = suture(["list"]);
  const there = result.processes.find(({ pid }: { pid: number }) => pid === server.pid);
  expect(there.patches.map(({ name, enabled }: { name: string; enabled: boolean }) => [name, enabled])).toEqual([
    [later.system.livepatch.name, true],
  ]);
  const counts = () =>
    suture(["status"]).result.fixes.map(
      ({ live, waiting, without }: { live: number; waiting: number; without: number[] }) => [live, waiting, without],
    );
  expect(counts()).toEqual([[4, 4, []]]);
  const [{ each }] = suture(["status"]).result.fixes;
  expect(
    each.map(({ name, live, code }: { name: string; live: boolean; code?: string }) => [name, live, code]),
  ).toEqual([
    ...["CVE-2026-1001.patch", "bounded.patch", "CVE-2026-1002.patch"].map((name) => [name, true, undefined]),
    ["CVE-2026-1004.patch", true, undefined],
    ["loop.patch", false, "NEVER_RETURNS"],
    ["after-loop.patch", false, "NEEDS_LEFT_OUT"],
    ["CVE-2026-1003-1.patch", false, "DATA_CHANGED"],
    ["menu.patch", false, "NOT_ONLY_CODE"],
  ]);
  expect(catchUp("later").system.results.map(({ outcome }: { outcome: string }) => outcome)).toEqual(["unchanged"]);
  // What is counted as live is what is in force now.
  suture(["unload", later.system.livepatch.name]);
  expect(counts()).toEqual([[0, 8, [server.pid]]]);
});

test("one diff of several things is no series, and how to get one is said", () => {
  writeFileSync(join(project.directory, "whole.diff"), diffOf("src/other.c", OTHER, changed(OTHER, "n - 4", "n - 5")));
  const { status, result } = catchUp("whole.diff");
  expect([status, result.error.code]).toEqual([1, "SERIES_UNREADABLE"]);
  expect(result.error.hint).toContain("git format-patch");
});

test("commits of a git repository are a series, and one that mends another belongs to it", () => {
  const repository = join(project.directory, "repository");
  mkdirSync(repository);
  const git = (...args: readonly string[]): string =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example.org", "-C", repository, ...args], {
      encoding: "utf8",
    }).trim();
  const commit = (path: string, text: string, message: string): string => {
    mkdirSync(dirname(join(repository, path)), { recursive: true });
    writeFileSync(join(repository, path), text);
    git("add", ".");
    git("commit", "-q", "-m", message);
    return git("rev-parse", "HEAD");
  };
  git("init", "-q");
  for (const [path, text] of Object.entries(FILES)) commit(path, text, path);
  const start = git("rev-parse", "HEAD");
  const once = changed(SERVER, "return n + 1", "return n + 2");
  const id = commit("src/server.c", once, "server: add two");
  commit("src/other.c", changed(OTHER, "n - 4", "n - 6"), "other: subtract six");
  commit(
    "src/server.c",
    changed(once, "limit = 100", "limit = 99"),
    `server: a lower limit\n\nFixes: ${id.slice(0, 12)} ("server: add two")`,
  );
  const { fixes } = catchUp(`repository:${start}..HEAD`, "--dry-run");
  expect(fixes).toEqual([
    ["server: add two", "waits", "DATA_CHANGED"],
    ["other: subtract six", "ready", undefined],
  ]);
});
