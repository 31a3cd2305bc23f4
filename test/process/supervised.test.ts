/** `suture load --supervise --health`: what does harm is taken away by itself. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { shown } from "../fixtures/shown.ts";
import { CaseProgram } from "./case-program.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");

/** Writes what it answers into a file, again and again; each answer is whole. */
const SOURCE = `
#include <stdio.h>
#include <unistd.h>
volatile int answers;
__attribute__((noinline)) int answer(int n) { answers++; return 2 * n; }
int main(int argc, char **argv)
{
	for (;;) {
		FILE *file = fopen("answer.new", "w");
		fprintf(file, "%d\\n", answer(argc));
		fclose(file);
		rename("answer.new", "answer");
		usleep(2000);
	}
}
`;

const program = new CaseProgram({ "main.c": [SOURCE, SOURCE.replace("2 * n", "2 * n + 1")] });

beforeAll(() => {
  program.compile("gcc -O2", "main.c").shell("gcc -o prog main.o -Wl,--build-id");
  expect(program.build("prog")).toMatchObject({ status: 0 });
  return () => program[Symbol.dispose]();
});

function load(pid: number, ...options: readonly string[]) {
  const { status, stdout, stderr } = suture(
    "load",
    program.livepatchPath,
    "--pid",
    String(pid),
    ...options,
    "--json",
    "-q",
  );
  if (stdout === "") throw new Error(stderr);
  return { status, result: shown(stdout).results[0] };
}

function suture(...args: readonly string[]) {
  return spawnSync(SUTURE, args, { cwd: program.source, encoding: "utf8" });
}

async function answers(wanted: string): Promise<void> {
  while (readAnswer() !== wanted) await setTimeout(5);
}

function readAnswer(): string | undefined {
  try {
    return readFileSync(program.path("answer"), "utf8").trim();
  } catch {
    return undefined;
  }
}

test("a livepatch that fails the health command is taken away, and the reason is told", async () => {
  await using running = await program.run("./prog");
  await answers("2");
  // The old answer may still lie there when it is first asked.
  const health = "sleep 0.2; grep -qx 2 answer || { echo it answers $(cat answer); exit 1; }";
  const { status, result } = load(running.pid, "--supervise", "600", "--health", health);
  expect({ status, outcome: result.outcome, problems: result.problems }).toEqual({
    status: 2,
    outcome: "reversed",
    problems: [
      {
        kind: "refusal",
        code: "HARM",
        what: "livepatch_fix was taken away again: the health command says no: it ended with status 1",
        where: "it answers 3",
        hint: "see: suture log",
      },
    ],
  });
  await answers("2");
});

test("where it had taken the place of another one, this one is in force again", async () => {
  await using running = await program.run("./prog");
  const older = join(program.directory, "older.o");
  const args = ["--compile-commands", "compile_commands.json", "--exe", "prog", "--name", "older", "-o", older];
  expect(suture("build", ...args, program.diffPath).status).toBe(0);
  expect(suture("load", older, "--pid", String(running.pid)).status).toBe(0);
  await answers("3");
  writeFileSync(program.path("well"), "");
  const harmed = load(running.pid, "--supervise", "600", "--health", "test -e well && rm well");
  const codes = harmed.result.problems.map(({ code }: { code: string }) => code);
  expect({ codes, outcome: harmed.result.outcome }).toEqual({ codes: ["HARM"], outcome: "reversed" });
  expect(harmed.result.notes).toContain("older, the place of which livepatch_fix had taken, is in force again");
  await answers("3");
  const { processes } = shown(suture("list", "--json").stdout);
  expect(processes.find(({ pid }: { pid: number }) => pid === running.pid).patches).toMatchObject([
    { name: "older", enabled: true },
  ]);
});

test("one that does no harm stays", async () => {
  await using running = await program.run("./prog");
  const { status, result } = load(running.pid, "--supervise", "0.01", "--health", "grep -qE '[23]' answer");
  expect({ status, outcome: result.outcome }).toEqual({ status: 0, outcome: "done" });
  expect(result.notes).toContain("watched for 0.01 s: no harm");
  await answers("3");
});

test("nothing is loaded where the health command says no before", async () => {
  await using running = await program.run("./prog");
  const { status, result } = load(running.pid, "--health", "exit 1");
  expect({ status, codes: result.problems.map(({ code }: { code: string }) => code) }).toEqual({
    status: 2,
    codes: ["UNHEALTHY_BEFORE"],
  });
  await answers("2");
});
