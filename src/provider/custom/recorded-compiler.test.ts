import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../lib/temp.ts";
import { recordedCompiler } from "./recorded-compiler.ts";

test.each([
  ["cmd_kernel/bounds.s := clang -Wp,-MMD,kernel/.bounds.s.d -nostdinc", "clang"],
  ["savedcmd_kernel/bounds.s := /opt/llvm/bin/clang-19 -Wp,-MMD,kernel/.bounds.s.d", "/opt/llvm/bin/clang-19"],
  ["savedcmd_kernel/bounds.s := ccache x86_64-linux-gnu-gcc-12 -Wp,-MMD,x", "x86_64-linux-gnu-gcc-12"],
  ["# no command", undefined],
])("what kbuild has run is read from its records: %s", async (text, program) => {
  await using build = await temporaryDirectory();
  mkdirSync(join(build.path, "kernel"));
  writeFileSync(join(build.path, "kernel/.bounds.s.cmd"), `${text}\n\nsource_kernel/bounds.s := ../kernel/bounds.c\n`);
  expect(await recordedCompiler(build.path)).toBe(program);
});

test("a build that leaves no records names no compiler, and a path of it counts from there", async () => {
  await using build = await temporaryDirectory();
  expect(await recordedCompiler(build.path)).toBeUndefined();
  mkdirSync(join(build.path, "kernel"));
  writeFileSync(join(build.path, "kernel/.bounds.s.cmd"), "cmd_kernel/bounds.s := ../bin/clang -c x\n");
  expect(await recordedCompiler(join(build.path))).toBe(join(build.path, "../bin/clang"));
});
