import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Cache } from "../../../lib/cache.ts";
import { temporaryDirectory } from "../../../lib/temp.ts";
import type { Kernel } from "../../../provider/kernel/kernel.ts";
import type { Unit } from "../../../provider/kernel/unit.ts";
import { findCompiler } from "../../../provider/toolchain/compiler.ts";
import { openPoison } from "./poison.ts";

const [COMPILER = ""] = execFileSync("gcc", ["--version"], { encoding: "utf8" }).split("\n");
const HEADER = `#define JOIN(a, b) a##b
#define CALL(a) JOIN(na, a)()
#ifdef __ASSEMBLER__
name
#endif
	int name(void);
#define NAME name
`;

/** Whether a unit of this text meets `name` in other places than those where the header has it. */
async function isMet(text: string, files: readonly string[] = []): Promise<boolean> {
  const [quick, exact] = [
    await isMetWith(["name", "another"], text, files),
    await isMetWith(["name", "another", "n2"], text, files),
  ];
  expect(quick).toBe(exact);
  return exact;
}

/** @param names without a number in them, they are looked for more quickly */
async function isMetWith(names: readonly string[], text: string, files: readonly string[]): Promise<boolean> {
  await using directory = await temporaryDirectory();
  const tree = join(directory.path, "tree");
  mkdirSync(tree);
  writeFileSync(join(tree, "a.h"), HEADER);
  writeFileSync(join(tree, "a.c"), `#include "a.h"\n${text}\n`);
  const unit: Unit = { source: "a.c", object: "a.o", lands: { kind: "vmlinux" }, args: ["-O2"], objtool: undefined };
  const compiler = await findCompiler({ compilerText: COMPILER }, new Cache(join(directory.path, "cache")));
  await using poison = await openPoison(new Set(names), { source: tree } as Kernel, compiler);
  return await poison.isMadeIn(unit, files, new AbortController().signal);
}

test("a name that is only where it is written in headers is not met", async () => {
  expect(await isMet("int f(void) { return 1; }")).toBe(false);
});

test("a name that a macro joins of pieces is met, through other macros too", async () => {
  expect(await isMet("int f(void) { return JOIN(na, me)(); }")).toBe(true);
  expect(await isMet("int f(void) { return CALL(me); }")).toBe(true);
  expect(await isMet("#define ME me\nint f(void) { return CALL(ME); }")).toBe(true);
  expect(await isMet("#define ME me\nint f(void) { return JOIN(na, ME)(); }")).toBe(false);
  expect(await isMet("int ano; int f(void) { return JOIN(ano, ther); }")).toBe(true);
});

test("a name in the unit's own text is met, and one in a file that is asked for, and what cannot be preprocessed", async () => {
  expect(await isMet("int f(void) { return name(); }")).toBe(true);
  expect(await isMet("int f(void) { return 1; }", ["a.h"])).toBe(true);
  expect(await isMet("#error no")).toBe(true);
  expect(await isMet('#include "not-there.h"')).toBe(true);
});
