/** Programs whose libc is not glibc: what new code may import is what their own libraries and dynamic linker have. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { shown } from "../fixtures/shown.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");
const SOURCE =
  "int used(int);\n__attribute__((noinline)) int answer(int x) { return used(x) + 4; }\nint start(int x) { return answer(x); }\n";

let at: TemporaryDirectory;

/** musl's way: libc and dynamic linker are one file, whose soname is that of glibc's linker script. */
beforeAll(async () => {
  at = await temporaryDirectory();
  mkdirSync(join(at.path, "lib"));
  writeFileSync(join(at.path, "libc.c"), "int used(int x) { return x; }\nint unused(int x) { return -x; }\n");
  writeFileSync(join(at.path, "program.c"), SOURCE);
  const run = (...args: string[]) => execFileSync("gcc", args, { cwd: at.path });
  run("-O2", "-fPIC", "-shared", "-nostdlib", "-Wl,-soname,libc.so", "-o", "lib/ld-made-up.so.1", "libc.c");
  run("-O2", "-fPIE", "-c", "-o", "program.o", "program.c");
  const linker = `-Wl,--dynamic-linker,${join(at.path, "lib/ld-made-up.so.1")}`;
  run(
    "-nostdlib",
    "-pie",
    "-e",
    "start",
    "-Wl,--build-id",
    linker,
    "-o",
    "program",
    "program.o",
    "lib/ld-made-up.so.1",
  );
  const argv = ["gcc", "-O2", "-fPIE", "-c", "-o", "program.o", "program.c"];
  writeFileSync(
    join(at.path, "compile_commands.json"),
    JSON.stringify([{ directory: at.path, file: "program.c", arguments: argv }]),
  );
});
afterAll(() => at[Symbol.asyncDispose]());

function build(called: string): { codes: string[]; error: unknown } {
  const diff = ["--- a/program.c", "+++ b/program.c", "@@ -1,3 +1,4 @@", " int used(int);"];
  const [, before = "", after = ""] = SOURCE.split("\n");
  const changed = before.replace("used(x) + 4", `${called}(x) + 5`);
  writeFileSync(
    join(at.path, "fix.patch"),
    `${[...diff, `+int ${called}(int);`, `-${before}`, `+${changed}`, ` ${after}`].join("\n")}\n`,
  );
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
  return { codes: (result.refusals ?? []).map((each: { code: string }) => each.code), error: result.error };
}

test("a function of the dynamic linker that is libc is imported, though the program did not call it", () => {
  expect(build("unused")).toEqual({ codes: [], error: undefined });
});

test("one that only glibc has is refused", () => {
  const { codes, error } = build("puts");
  expect(error).toBeUndefined();
  expect(codes).not.toEqual([]);
});
