import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { CompileResult } from "../../builder/compile-result.ts";
import { Cache } from "../../lib/cache.ts";
import { run } from "../../lib/run.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../lib/temp.ts";
import { type Kernel, kernelFrom } from "../../provider/kernel/kernel.ts";
import type { Unit } from "../../provider/kernel/unit.ts";
import { type Compiler, findCompiler } from "../../provider/toolchain/compiler.ts";
import type { CompileOptions } from "./compile.ts";
import { compileOriginal } from "./originals.ts";

const UNIT: Unit = { source: "a.c", object: "a.o", lands: { kind: "vmlinux" }, args: ["-O2"], objtool: undefined };
let directory: TemporaryDirectory;
let cache: Cache;
let compiler: Compiler;

beforeEach(async () => {
  directory = await temporaryDirectory();
  cache = new Cache(join(directory.path, "cache"));
  mkdirSync(join(directory.path, "source"));
  write("a.h", "#define A 1\n");
  write("a.c", '#include "a.h"\nint a(void) { return A; }\n');
  const { stdout } = await run("gcc", ["--version"], { check: true });
  compiler = await findCompiler({ compilerText: stdout.split("\n", 1)[0] ?? "" }, cache);
});
afterEach(async () => await directory[Symbol.asyncDispose]());

function write(name: string, text: string): void {
  writeFileSync(join(directory.path, "source", name), text);
}

function kernel(sourceMayChange: boolean): Kernel {
  const paths = { source: "source", objtool: "", vmlinux: "", modules: "", symbols: "", layouts: "", units: "" };
  const text = { release: "6.1", version: "1", buildId: "", compilerText: compiler.text, identity: "i" };
  return kernelFrom(directory.path, { format: 1, ...text, sourceMayChange, leftOut: [], paths });
}

async function compile(options: Partial<CompileOptions> = {}): Promise<CompileResult> {
  return await compileOriginal(UNIT, cache, { kernel: kernel(false), compiler, variant: "plain", ...options });
}

async function objectOf(result: Promise<CompileResult>): Promise<Buffer> {
  const compiled = await result;
  if (compiled.kind !== "compiled") throw new Error(compiled.output);
  return readFileSync(compiled.object);
}

test("an original is compiled once", async () => {
  const first = await objectOf(compile());
  write("a.c", "no C at all\n");
  expect((await objectOf(compile())).equals(first)).toBe(true);
  expect(await compile()).toMatchObject({ kind: "compiled", dependencies: expect.arrayContaining(["a.c", "a.h"]) });
});

test("another variant is another object", async () => {
  const [plain, sections, types] = await Promise.all([
    objectOf(compile()),
    objectOf(compile({ variant: "sections" })),
    objectOf(compile({ types: true })),
  ]);
  expect(plain.includes(".text.a")).toBe(false);
  expect(sections.includes(".text.a")).toBe(true);
  expect([plain.includes(".BTF"), types.includes(".BTF")]).toEqual([false, true]);
});

test("where the source may change, a change of any file that was read is noticed", async () => {
  const changing = { kernel: kernel(true) };
  const first = await objectOf(compile(changing));
  expect((await objectOf(compile(changing))).equals(first)).toBe(true);
  write("a.h", "#define A 12345\n");
  expect((await objectOf(compile(changing))).equals(first)).toBe(false);
});

test("an original that does not compile is a result, and nothing is kept of it", async () => {
  write("a.c", "int a = ;\n");
  expect(await compile()).toMatchObject({
    kind: "does-not-compile",
    by: "compiler",
    output: expect.stringContaining("a.c:1:9"),
  });
  const kinds = join(cache.directory, "originals");
  expect(
    existsSync(kinds) ? readdirSync(kinds, { recursive: true }).filter((name) => String(name).includes(".o")) : [],
  ).toEqual([]);
});

test("two that compile the same at once get the same", async () => {
  const objects = await Promise.all([objectOf(compile()), objectOf(compile()), objectOf(compile())]);
  expect(objects.every((each) => each.equals(objects[0] as Buffer))).toBe(true);
});

test("nothing is written beside the source", async () => {
  await compile();
  expect(readdirSync(join(directory.path, "source"))).toEqual(["a.c", "a.h"]);
});

test("an objtool that this machine cannot start is told as that, and not as code that does not compile", async () => {
  const at = (name: string): string => join(directory.path, name);
  writeFileSync(at("library.c"), "int check(void) { return 0; }\n");
  writeFileSync(at("objtool.c"), "int check(void);\nint main(void) { return check(); }\n");
  await run("gcc", ["-shared", "-fPIC", "-o", at("libcheck-test.so"), at("library.c")], { check: true });
  await run("gcc", ["-o", at("objtool"), at("objtool.c"), `-L${directory.path}`, "-lcheck-test"], { check: true });
  const checked: Unit = { ...UNIT, objtool: ["--check"] };
  const paths = { source: "source", objtool: "objtool", vmlinux: "", modules: "", symbols: "", layouts: "", units: "" };
  const text = { release: "6.1", version: "1", buildId: "", compilerText: compiler.text, identity: "i" };
  write(".config", "CONFIG_X86_64=y\n");
  const made = kernelFrom(directory.path, { format: 1, ...text, sourceMayChange: false, leftOut: [], paths });
  await expect(compileOriginal(checked, cache, { kernel: made, compiler, variant: "plain" })).rejects.toMatchObject({
    code: "TOOL_DOES_NOT_START",
    message: "objtool does not start on this machine",
    hint: expect.stringContaining("libcheck-test.so"),
  });
});
