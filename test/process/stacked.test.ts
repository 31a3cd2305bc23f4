/** Livepatches beside each other, of which one relies on what the other replaces. */
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Apart } from "./apart.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");
const CASE = resolve(import.meta.dirname, "../cases/process/stacked-ipa");

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "suture-stacked-"));
  cpSync(join(CASE, "src"), directory, { recursive: true });
  const commands = ["main.c", "u.c"].map((file) => {
    const command = `gcc -O2 -c -o ${file}.o ${file}`;
    execFileSync("sh", ["-c", command], { cwd: directory });
    return { directory, command, file };
  });
  writeFileSync(join(directory, "compile_commands.json"), JSON.stringify(commands));
  execFileSync("gcc", ["-o", "prog", "main.c.o", "u.c.o"], { cwd: directory });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function suture(...args: string[]) {
  const env = { ...process.env, SUTURE_CACHE: join(directory, "cache") };
  return spawnSync(SUTURE, args, { cwd: directory, encoding: "utf8", env });
}

function build(name: string): void {
  const named = ["--compile-commands", "compile_commands.json", "--exe", "prog", "--no-replace", "--name", name];
  const { status, stderr } = suture("build", "-q", ...named, "-o", `${name}.o`, join(CASE, `${name}.patch`));
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
}

test("one that keeps values where a function that another one replaced left them is refused", async () => {
  build("fixA");
  build("fixB");
  using program = new Apart(join(directory, "prog"), [], ["pipe", "pipe", "inherit"]);
  const { stdin, stdout } = program.starter;
  if (stdin === null || stdout === null) throw new Error("the program has no pipes");
  const lines = createInterface(stdout);
  const ask = async (): Promise<string> => {
    const said = once(lines, "line");
    stdin.write("x\n");
    return String((await said)[0]);
  };
  const before = await ask();
  const load = (name: string) => suture("load", "--json", `${name}.o`, "--pid", String(program.pid));
  expect(load("fixA").status).toBe(0);
  expect(await ask()).toBe(before);
  const { status, stdout: told } = load("fixB");
  expect(status).toBe(2);
  expect(told).toContain("RELIES_ON_REPLACED");
  expect(await ask()).toBe(before);
}, 120_000);
