/** What a patched function newly refers to lies where the linker would have found it: in the program's own other files first. */

import { execFileSync, spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import type { ProgramMetadata } from "../../src/patch/program-metadata.ts";
import { shown } from "../fixtures/shown.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");
const MAIN = `#include <stdio.h>
int twice(int);
int main(int argc, char **argv) { (void)argv; printf("%d\\n", twice(argc)); return 0; }
`;
const TWICE = `int scaled(int, int);
__attribute__((noinline)) int twice(int x) { return scaled(x, 2) + 1; }
`;
/** error() is glibc's too, and this program's own one is another. */
const OWN = `#include <stdlib.h>
int shared_count = 7;
int scaled(int x, int by) { return x * by; }
int checked(int x) { if (x < 0) abort(); return x * 3 + shared_count; }
int error(int status, int number, const char *format) { return status + number * 31 + (format == 0 ? 5 : 9); }
`;

let at: TemporaryDirectory;
beforeEach(async () => {
  at = await temporaryDirectory();
  const sources = { "main.c": MAIN, "twice.c": TWICE, "own.c": OWN };
  const commands = Object.entries(sources).map(([file, text]) => {
    writeFileSync(join(at.path, file), text);
    const argv = ["gcc", "-O2", "-c", "-o", file.replace(".c", ".o"), file];
    execFileSync(argv[0] ?? "", argv.slice(1), { cwd: at.path });
    return { directory: at.path, file, arguments: argv };
  });
  writeFileSync(join(at.path, "compile_commands.json"), JSON.stringify(commands));
  execFileSync("gcc", ["-o", "program", "main.o", "twice.o", "own.o"], { cwd: at.path });
  execFileSync("strip", ["program"], { cwd: at.path });
});
afterEach(() => at[Symbol.asyncDispose]());

function build(declaration: string, call: string): { codes: string[]; metadata: ProgramMetadata | undefined } {
  const [first = "", second = ""] = TWICE.split("\n");
  const lines = [` ${first}`, `+${declaration}`, `-${second}`, `+${second.replace("scaled(x, 2)", call)}`];
  writeFileSync(join(at.path, "fix.patch"), `--- a/twice.c\n+++ b/twice.c\n@@ -1,2 +1,3 @@\n${lines.join("\n")}\n`);
  const args = [
    "build",
    "--json",
    "-q",
    "--compile-commands",
    "compile_commands.json",
    "--exe",
    "program",
    "fix.patch",
  ];
  const env = { ...process.env, SUTURE_CACHE: join(at.path, "cache") };
  const { stdout } = spawnSync(SUTURE, args, { cwd: at.path, encoding: "utf8", env });
  const result = shown(stdout);
  return { codes: (result.refusals ?? []).map((each: { code: string }) => each.code), metadata: result.metadata };
}

const BY_OBJECT_OR_TEXT = [["there"], ["gone"]];

test.each(BY_OBJECT_OR_TEXT)(
  "a function that the unit did not call, of a stripped program whose objects are %s",
  (objects) => {
    if (objects === "gone") rmSync(join(at.path, "own.o"));
    const { codes, metadata } = build("int checked(int);", "checked(x)");
    expect(codes).toEqual([]);
    expect(metadata?.proofs.map(({ source }) => source)).toEqual(["twice.c", "own.c"]);
    expect(JSON.stringify(metadata?.needs)).toContain("checked");
  },
);

test("a function that glibc has too is the program's own", () => {
  const { codes, metadata } = build("int error(int, int, const char *);", 'error(x, 2, "it")');
  expect(codes).toEqual([]);
  expect(metadata?.needs.find(({ name }) => name === "error")).toMatchObject({ object: "program", by: "livepatch" });
});
