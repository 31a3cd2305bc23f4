import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { Cache } from "../../lib/cache.ts";
import { run } from "../../lib/run.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import { findCompiler } from "./compiler.ts";

afterEach(() => vi.unstubAllEnvs());

/** Puts a program that says it is this compiler first in PATH. */
function install(directory: string, name: string, text: string): void {
  writeFileSync(join(directory, name), `#!/bin/sh\necho '${text}'\n`);
  chmodSync(join(directory, name), 0o755);
  vi.stubEnv("PATH", `${directory}:/usr/bin:/bin`);
}

async function installed(): Promise<string> {
  return (await run("gcc", ["--version"], { check: true })).stdout.split("\n", 1)[0] ?? "";
}

test("the installed compiler is found by what the configuration calls it", async () => {
  await using cache = await temporaryDirectory();
  const text = await installed();
  const version = text.replace(/^\S+/, "");
  for (const name of ["gcc", "x86_64-linux-gnu-gcc", "gcc-0"]) {
    const compiler = await findCompiler({ compilerText: `${name}${version}` }, new Cache(cache.path));
    expect(compiler.text.replace(/^\S+/, "")).toBe(version);
    expect(compiler.path).toMatch(/^\//);
  }
});

test("another revision of the same version is another compiler, and the package of the right one is named", async () => {
  await using directory = await temporaryDirectory();
  install(directory.path, "gcc-99", "gcc-99 (Debian 99.2.0-1) 99.2.0");
  const cache = new Cache(join(directory.path, "cache"));
  await expect(findCompiler({ compilerText: "gcc-99 (Debian 99.2.0-14+deb12u1) 99.2.0" }, cache)).rejects.toMatchObject(
    {
      code: "WRONG_COMPILER",
      where: expect.stringContaining(`${directory.path}/gcc-99 is gcc-99 (Debian 99.2.0-1) 99.2.0`),
      hint: "apt-get install gcc-99=99.2.0-14+deb12u1",
    },
  );
  expect((await findCompiler({ compilerText: "gcc-99 (Debian 99.2.0-1) 99.2.0" }, cache)).path).toBe(
    join(directory.path, "gcc-99"),
  );
});

test("a compiler that was replaced is asked again", async () => {
  await using directory = await temporaryDirectory();
  const cache = new Cache(join(directory.path, "cache"));
  install(directory.path, "gcc-99", "gcc-99 (Debian 99.2.0-1) 99.2.0");
  await findCompiler({ compilerText: "gcc-99 (Debian 99.2.0-1) 99.2.0" }, cache);
  install(directory.path, "gcc-99", "gcc-99 (Debian 99.2.0-22) 99.2.0");
  expect((await findCompiler({ compilerText: "gcc-99 (Debian 99.2.0-22) 99.2.0" }, cache)).text).toContain("99.2.0-22");
});

test("clang is found by its version, first where the kernel's build has run it", async () => {
  await using directory = await temporaryDirectory();
  const cache = new Cache(join(directory.path, "cache"));
  const compilerText = "Debian clang version 99.0.6";
  await expect(findCompiler({ compilerText }, cache)).rejects.toMatchObject({
    code: "WRONG_COMPILER",
    hint: "apt-get install clang-99",
  });
  install(directory.path, "clang-99", compilerText);
  install(directory.path, "own", compilerText);
  expect((await findCompiler({ compilerText }, cache)).path).toBe(join(directory.path, "clang-99"));
  const own = join(directory.path, "own");
  expect(await findCompiler({ compilerText, compilerPath: own }, cache)).toEqual({ path: own, text: compilerText });
  install(directory.path, "own", "Debian clang version 98.0.0 ");
  expect((await findCompiler({ compilerText, compilerPath: own }, cache)).path).toBe(join(directory.path, "clang-99"));
});
