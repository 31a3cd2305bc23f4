/** suture as a library, as examples/ shows it. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { CaseProgram } from "./case-program.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const EXAMPLE = join(ROOT, "examples/build-livepatch.ts");

function example(program: CaseProgram, diff: string): { status: number | null; stdout: string; stderr: string } {
  const output = program.livepatchPath;
  const args = [program.path("compile_commands.json"), program.path("prog"), diff, output];
  return spawnSync(process.execPath, ["--conditions=suture-source", EXAMPLE, ...args], { cwd: ROOT, encoding: "utf8" });
}

function programOf(original: string, patched: string): CaseProgram {
  const main =
    "long answer(long n);\nint main(int argc, char **argv) { return argv == NULL ? 0 : (int)answer(argc); }\n";
  const program = new CaseProgram({ "main.c": `#include <stddef.h>\n${main}`, "answer.c": [original, patched] });
  program.compile("gcc -O2 -g", "main.c", "answer.c").shell("gcc -o prog main.o answer.o");
  return program;
}

const answer = (more: number, table = 7): string =>
  `long state[${table}] = { 1 };\nlong answer(long n) { return n * 3 + state[0] + ${more}; }\n`;

test("a diff in, a livepatch out, and what was found as data: in 30 lines", () => {
  expect(readFileSync(EXAMPLE, "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(35);
  using program = programOf(answer(1), answer(1000));
  const { status, stdout, stderr } = example(program, program.diffPath);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/^prog: answer is replaced: .+\n$/);
  expect(existsSync(program.livepatchPath)).toBe(true);
});

test("a refusal is data, and broken input an error with a code", () => {
  using program = programOf(answer(1), answer(1).replace("{ 1 }", "{ 2 }").replace("+ 1", "+ 5"));
  const refused = example(program, program.diffPath);
  expect(refused).toMatchObject({ status: 0, stderr: "" });
  expect(refused.stdout).toMatch(/^refused: DATA_CHANGED: /);
  const broken = example(program, program.path("answer.c"));
  expect(broken).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringMatching(/^DIFF_EMPTY: |^DIFF_MALFORMED: /),
  });
});
