/** The second opinion on livepatches of a real program and of a stock kernel. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createTwoFilesPatch } from "diff";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Audit } from "../src/audit/audit.ts";
import { auditProgramLivepatch } from "../src/audit/program.ts";
import { Cache } from "../src/lib/cache.ts";
import { silentProgress } from "../src/lib/progress.ts";
import { run } from "../src/lib/run.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../src/lib/temp.ts";
import { readSealed } from "../src/patch/digest.ts";
import { readProgramMetadata } from "../src/patch/read-program-metadata.ts";
import { buildProgramLivepatch } from "../src/subject/program/build.ts";
import { shown } from "./fixtures/shown.ts";

const SUTURE = fileURLToPath(new URL("../bin/suture", import.meta.url));

const SOURCE = `#include <stdio.h>
#include <unistd.h>
static int counter;
static const char *const names[] = { "zero", "one", "two" };
static int __attribute__((noinline)) pick(int n)
{
  switch (n) {
  case 0: return 7;
  case 1: return 9;
  case 2: return 11;
  case 3: return 1;
  case 4: return 0;
  case 5: return 55;
  default: return n;
  }
}
__attribute__((noinline)) int step(int n)
{
  counter += pick(n);
  printf("%s %d\\n", names[n % 3], counter);
  return counter;
}
__attribute__((noinline)) int other(int n)
{
  printf("other %d\\n", n);
  return n + 1;
}
int main(int argc, char **argv)
{
  for (int i = argc;; i++) {
    step(i);
    other(i);
    sleep(1);
  }
}
`;

describe("audit", () => {
  let directory: TemporaryDirectory;
  const options = { strip: undefined, jobs: 1, progress: silentProgress, signal: undefined };

  beforeAll(async () => {
    directory = await temporaryDirectory();
    const { path } = directory;
    mkdirSync(join(path, "source"));
    writeFileSync(join(path, "source/main.c"), SOURCE);
    await run("gcc", ["-O2", "-Wl,--build-id", "-o", "prog", "main.c"], { cwd: join(path, "source"), check: true });
    const command = { directory: join(path, "source"), file: "main.c", command: "gcc -O2 -c main.c -o main.o" };
    writeFileSync(join(path, "source/compile_commands.json"), JSON.stringify([command]));
  });

  afterAll(async () => await directory[Symbol.asyncDispose]());

  function diffOf(patched: string) {
    const text = createTwoFilesPatch("a/main.c", "b/main.c", SOURCE, patched);
    return { name: "fix.patch", data: Buffer.from(text) };
  }

  /** What is found in a livepatch of one diff, told that it was built from another. */
  async function audited(
    built: string,
    told: string,
    commands = join(directory.path, "source/compile_commands.json"),
  ): Promise<Audit["findings"]> {
    const { path } = directory;
    const cache = new Cache(join(path, "cache"));
    const program = {
      kind: "commands",
      commands,
      executables: [join(path, "source/prog")],
      source: undefined,
    } as const;
    const output = join(path, "livepatch.o");
    const request = { ...options, cache, program, diffs: [diffOf(built)], output, name: "fix", replace: false };
    const result = await buildProgramLivepatch(request);
    if (result.kind !== "built") throw new Error(`${result.kind}: ${JSON.stringify(result)}`);
    const livepatch = readSealed(readFileSync(output), output);
    const metadata = readProgramMetadata(livepatch);
    const { findings } = await auditProgramLivepatch({
      ...options,
      cache,
      program,
      livepatch,
      metadata,
      diffs: [diffOf(told)],
    });
    return findings;
  }

  const fixed = SOURCE.replace("counter += pick(n)", "counter += 2 * pick(n) + (n > 4)")
    .replace("return 55", "return 56")
    .replace('"two"', '"two and more"');

  test("a livepatch does what its diff asks for", async () => {
    expect(await audited(fixed, fixed)).toEqual([]);
  });

  test("the command takes what chose the program for the build", async () => {
    const { path } = directory;
    const diff = join(path, "fix.patch");
    writeFileSync(diff, diffOf(fixed).data);
    const output = join(path, "by-command.o");
    const chosen = [
      ...["--compile-commands", join(path, "source/compile_commands.json"), "--exe", join(path, "source/prog")],
      ...["--source", join(path, "source"), "--json"],
    ];
    await run(SUTURE, ["build", ...chosen, "--output", output, diff], { check: true });
    const { stdout } = await run(SUTURE, ["audit", ...chosen, output, diff], { check: true });
    expect((shown(stdout) as Audit).findings).toEqual([]);
  });

  test("a compile that is not in the program, of a source that is, has no say", async () => {
    const { path } = directory;
    const commands = ["-c main.c -o main.o", "--coverage -c main.c -o debug.o"].map((words) => ({
      directory: join(path, "source"),
      file: "main.c",
      command: `gcc -O2 ${words}`,
    }));
    for (const [i, order] of [commands, commands.toReversed()].entries()) {
      const file = join(path, `both-${i}.json`);
      writeFileSync(file, JSON.stringify(order));
      expect(await audited(fixed, fixed, file)).toEqual([]);
      const more = fixed.replace("return n + 1", "return n + 2");
      expect((await audited(fixed, more, file)).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
        "unaccounted other",
      ]);
    }
  });

  test("what a livepatch leaves out is found, and so is code that is not the diff's", async () => {
    const more = fixed.replace("return n + 1", "return n + 2");
    expect((await audited(fixed, more)).map(({ kind, name }) => `${kind} ${name}`)).toEqual(["unaccounted other"]);
    const less = fixed.replace("2 * pick(n)", "3 * pick(n)");
    expect((await audited(fixed, less)).map(({ kind, name }) => `${kind} ${name}`)).toEqual(["other-code step"]);
  });

  test("a function that is patched for nothing is found", async () => {
    const more = fixed.replace("return n + 1", "return n + 2");
    expect((await audited(more, fixed)).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      "idle other",
      "other-code other",
    ]);
  });
});
