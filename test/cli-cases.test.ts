/** Diffs as people have them: taken whole, or refused; never by half. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../src/lib/temp.ts";

const SUTURE = join(import.meta.dirname, "../bin/suture");
const CASES = join(import.meta.dirname, "cases/cli");
const FLAGS = ["-O2", "-g", "-c"];
let directory: TemporaryDirectory;

beforeAll(async () => {
  directory = await temporaryDirectory();
  project("greet", ["greet.c", "main.c"]);
  project("src", ["s.c"]);
});
afterAll(async () => await directory[Symbol.asyncDispose]());

/** Compiles a program of the cases, with the commands that it was compiled by. */
function project(name: string, sources: readonly string[]): void {
  const cwd = join(directory.path, name);
  cpSync(join(CASES, name), cwd, { recursive: true });
  const commands = sources.map((file) => {
    const output = file.replace(/c$/, "o");
    execFileSync("gcc", [...FLAGS, "-o", output, file], { cwd });
    return { directory: cwd, file, arguments: ["gcc", ...FLAGS, "-o", output, file] };
  });
  writeFileSync(join(cwd, "compile_commands.json"), JSON.stringify(commands));
  execFileSync("gcc", ["-o", "program", ...sources.map((file) => file.replace(/c$/, "o"))], { cwd });
}

interface Built {
  readonly status: number | null;
  readonly code: string | undefined;
  readonly hasOutput: boolean;
}

function build(name: string, patch: string): Built {
  const cwd = join(directory.path, name);
  const output = join(cwd, "fix.o");
  rmSync(output, { force: true });
  const args = ["build", "-q", "--compile-commands", "compile_commands.json", "--exe", "program", "-o", "fix.o"];
  const { status, stderr } = spawnSync(SUTURE, [...args, join(CASES, patch)], { cwd, encoding: "utf8" });
  return { status, code: /^[A-Z_]+(?=: )/m.exec(stderr)?.[0], hasOutput: existsSync(output) };
}

test.each([
  ["color.patch", "a terminal's colours"],
  ["p2.patch", "two leading directories"],
])("%s: %s are understood, and the fix is whole", (patch) => {
  expect(build("greet", patch)).toEqual({ status: 0, code: undefined, hasOutput: true });
  expect(readFileSync(join(directory.path, "greet/fix.o"), "latin1")).toContain("HELLO %u %s (%u)");
});

test.each([
  ["greet", "shortcount.patch", 1, "DIFF_MALFORMED"],
  ["src", "half.patch", 1, "DIFF_MALFORMED"],
  ["src", "hugeline.patch", 2, "DOES_NOT_COMPILE"],
  ["greet", "incbin.patch", 2, "OUTSIDE_FILE"],
])("%s/%s is no livepatch: exit code %d, %s", (name, patch, status, code) => {
  expect(build(name, patch)).toEqual({ status, code, hasOutput: false });
});
