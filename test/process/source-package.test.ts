/** Packages made up for the test, each built in a way that packages of Debian have. */

import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readElf } from "../../src/elf/read.ts";
import { SutureError } from "../../src/lib/error.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { readProgramMetadata } from "../../src/patch/read-program-metadata.ts";
import { buildSource, type SourceBuild } from "../../src/provider/debian/build-source.ts";
import type { SourceArchive } from "../../src/provider/debian/source-archive.ts";
import { placeAt, shippedBuildPath } from "../../src/provider/program/build-path.ts";
import type { CompileCommand } from "../../src/provider/program/command-line.ts";
import { shown } from "../fixtures/shown.ts";

const SUTURE = resolve(import.meta.dirname, "../../bin/suture");
const NAME = "made-up-1.0";

/** Its functions tell where they were compiled, as assertions do. */
const COUNTER = `#include <stdio.h>
#include "told.h"
__attribute__((noinline)) int first(int x) { if (x > 7) told(__FILE__, __LINE__); return x + 1; }
__attribute__((noinline)) int second(int x) { if (x > 8) told(__FILE__, __LINE__); return x * 3; }
__attribute__((noinline)) int third(int x) { CHECK(x < 9); return x * x; }
int main(int argc, char **argv) { (void)argv; printf("%d\\n", first(argc) + second(argc) + third(argc)); return 0; }
`;
const TOLD_H = `void told(const char *file, int line);
#define CHECK(what) do { if (!(what)) told(__FILE__, __LINE__); } while (0)
`;
const TOLD = `#include <stdio.h>
#include "told.h"
void told(const char *file, int line) { printf("%s:%d\\n", file, line); }
`;
const SOURCES = { "src/counter.c": COUNTER, "src/told.h": TOLD_H, "src/told.c": TOLD };
const COMPILE = "mkdir -p out && cd out && for f in counter told; do gcc -O2 -I../src -c -o $$f.o ../src/$$f.c; done";
const LINK = "cd out && gcc -o counter counter.o told.o";

const archive: SourceArchive = {
  options: [],
  sources: async () => [],
  unpack: async () => {
    throw new Error("the package is here");
  },
};

let at: TemporaryDirectory;
let tree: string;

beforeEach(async () => {
  at = await temporaryDirectory();
  tree = join(at.path, NAME);
});
afterEach(() => at[Symbol.asyncDispose]());

/** Unpacked, with the source package beside it, as apt leaves it. */
function unpack(rules: Readonly<Record<string, string>>, sources: Readonly<Record<string, string>> = SOURCES): void {
  const targets = { clean: "true", "binary-arch": "true", binary: "true", ...rules };
  const text = Object.entries(targets).map(
    ([target, command]) => `${target}:\n\t${command.replaceAll("\n", "\n\t")}\n`,
  );
  const files = {
    ...sources,
    "debian/changelog":
      "made-up (1.0) unstable; urgency=low\n\n  * It.\n\n -- Nobody <nobody@example.org>  Thu, 01 Jan 2026 00:00:00 +0000\n",
    "debian/control":
      "Source: made-up\nMaintainer: Nobody <nobody@example.org>\nBuild-Depends: libc6 (>= 2),\n# for nothing\n libc6-dev | nothing-dev\n\nPackage: made-up\nArchitecture: any\nDescription: it\n",
    "debian/source/format": "3.0 (native)\n",
    "debian/rules": `#!/usr/bin/make -f\nSHELL = /bin/bash -e\n${text.join("\n")}`,
  };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), content, { mode: 0o755 });
  }
  execFileSync("dpkg-source", ["--build", tree], { cwd: at.path, stdio: "ignore" });
}

async function build(options: Partial<SourceBuild> = {}): Promise<CompileCommand[]> {
  return await buildSource(tree, {
    name: "made-up 1.0",
    archive,
    jobs: 1,
    log: join(at.path, "log"),
    shipped: [],
    progress: silentProgress,
    signal: undefined,
    ...options,
  });
}

/** What `suture build` makes of a change of one number in the second function. */
function livepatch(
  commands: readonly CompileCommand[],
  exe: string,
  source = COUNTER,
): { codes: string[]; functions: string[] } {
  const database = commands.map(({ compiler, directory, source, args, object }) => ({
    directory,
    file: source,
    arguments: [compiler, ...args, "-c", ...(object === undefined ? [] : ["-o", object]), source],
  }));
  writeFileSync(join(at.path, "compile_commands.json"), JSON.stringify(database));
  writeFileSync(join(at.path, "patched.c"), source.replace("x * 3", "x * 4"));
  const old = join(tree, "src/counter.c");
  const labels = ["--label", "a/src/counter.c", "--label", "b/src/counter.c"];
  const { stdout: diff } = spawnSync("diff", ["-u", ...labels, old, join(at.path, "patched.c")], { encoding: "utf8" });
  writeFileSync(join(at.path, "fix.patch"), diff);
  const named = ["--compile-commands", join(at.path, "compile_commands.json"), "--exe", exe, "--source", tree];
  const env = { ...process.env, SUTURE_CACHE: join(at.path, "cache") };
  const { stdout } = spawnSync(SUTURE, ["build", "--json", "-q", ...named, "fix.patch"], {
    cwd: at.path,
    encoding: "utf8",
    env,
  });
  const codes = (shown(stdout).refusals ?? []).map((each: { code: string }) => each.code) as string[];
  const path = join(at.path, "livepatch-fix.o");
  if (!existsSync(path)) return { codes, functions: [] };
  const { objects } = readProgramMetadata(readElf(readFileSync(path), path));
  return { codes, functions: objects.flatMap(({ funcs }) => funcs.map(({ name }) => name)) };
}

test("a package that is built in another folder: only what changes is patched", async () => {
  unpack({ "build-arch": `${COMPILE}\n${LINK}` });
  expect(livepatch(await build(), join(tree, "out/counter"))).toEqual({ codes: [], functions: ["second"] });
});

test.each([
  ["by the path of the source tree and ..", "gcc -O2 -I$(CURDIR)/out/../src -c -o $$f.o $(CURDIR)/out/../src/$$f.c"],
  ["by a whole path", "gcc -O2 -I$(CURDIR)/src -c -o $$f.o $(CURDIR)/src/$$f.c"],
  ["by a mapped path", "gcc -O2 -ffile-prefix-map=$(CURDIR)=. -I$(CURDIR)/src -c -o $$f.o $(CURDIR)/src/$$f.c"],
  [
    "by links in another folder",
    "(mkdir -p linked; cd linked; for s in ../../src/*; do ln -sf $$s .; done; gcc -O2 -c -o ../$$f.o $$f.c)",
  ],
  ["by a link to their folder", "(ln -sfn ../src sources; gcc -O2 -Isources -c -o $$f.o sources/$$f.c)"],
  ["from a folder in another one", "(mkdir -p a; cd a; gcc -O2 -I../../src -c -o ../$$f.o ../../src/$$f.c)"],
])("sources named %s: only what changes is patched", async (_, compile) => {
  unpack({ "build-arch": `mkdir -p out && cd out && for f in counter told; do ${compile}; done\n${LINK}` });
  expect(livepatch(await build(), join(tree, "out/counter"))).toEqual({ codes: [], functions: ["second"] });
});

test("a package whose code has the date of its build: only what changes is patched", async () => {
  const dated = COUNTER.replace("return x + 1;", 'puts(__DATE__ " " __TIME__); return x + 1;');
  unpack({ "build-arch": `${COMPILE}\n${LINK}` }, { ...SOURCES, "src/counter.c": dated });
  const commands = await build();
  expect(commands.map(({ env }) => env?.["SOURCE_DATE_EPOCH"])).toEqual(["1767225600", "1767225600"]);
  expect(livepatch(commands, join(tree, "out/counter"), dated)).toEqual({ codes: [], functions: ["second"] });
});

test("options that are in a file are known", async () => {
  const inFile = COMPILE.replace("-O2 -I../src", "@options").replace(
    "cd out &&",
    "cd out && echo '-O2 -I\"../src\"' >options &&",
  );
  unpack({ "build-arch": `${inFile}\n${LINK}` });
  expect(livepatch(await build(), join(tree, "out/counter"))).toEqual({ codes: [], functions: ["second"] });
});

test("what is compiled for other machines is no part of the program", async () => {
  const others = ["-m32", "-mx32"].map((abi) => `gcc -O2 -ffreestanding ${abi} -c -o out/other${abi}.o src/plain.c`);
  const plain = "int plain(int x) { return x * 5 + 1; }\n";
  unpack(
    { "build-arch": [COMPILE, LINK, "gcc -O2 -c -o out/plain.o src/plain.c", ...others].join("\n") },
    { ...SOURCES, "src/plain.c": plain, "src/told.h": `${TOLD_H}#define UNUSED 1\n` },
  );
  const commands = await build();
  expect(commands.filter(({ source }) => source === "src/plain.c")).toHaveLength(3);
  // The whole of it is compiled for each machine: the same file once more, with the change.
  const both = commands.map((each) => ({ ...each, args: [...each.args, "-m32"], object: `${each.object}.32` }));
  expect(livepatch([...both, ...commands], join(tree, "out/counter"))).toEqual({ codes: [], functions: ["second"] });
});

test("what is no object, and has the name of one, is no part of the program", async () => {
  const bitcode = "cd out && gcc -O2 -I../src -c -o counter.bc ../src/counter.c && echo bitcode >counter.bc";
  unpack({ "build-arch": `${COMPILE}\n${LINK}\n${bitcode}` });
  expect(livepatch(await build(), join(tree, "out/counter"))).toEqual({ codes: [], functions: ["second"] });
});

test("a package that compiles when its packages are made is built so", async () => {
  unpack({ "build-arch": "true", "binary-arch": `${COMPILE}\n${LINK}` });
  expect((await build()).map(({ source }) => source).sort()).toEqual(["../src/counter.c", "../src/told.c"]);
});

test("one that compiles a part of what ships when its packages are made is built so too", async () => {
  const one = (name: string) => `mkdir -p out && gcc -O2 -Isrc -c -o out/${name}.o src/${name}.c`;
  unpack({ "build-arch": one("told"), "binary-arch": `${one("counter")}\n${LINK}` });
  const shipped = join(at.path, "shipped/counter");
  mkdirSync(dirname(shipped));
  copyFileSync("/bin/true", shipped);
  expect((await build({ shipped: [shipped] })).map(({ source }) => source).sort()).toEqual([
    "src/counter.c",
    "src/told.c",
  ]);
});

test("rules that cannot do without what no test needs are run as the archive runs them", async () => {
  const needs = 'if [ -n "$$DEB_BUILD_PROFILES" ]; then echo "configure: error: no perl module"; exit 1; fi';
  unpack({ "build-arch": `touch src/left-behind\n${needs}\n${COMPILE}\n${LINK}` });
  expect((await build()).map(({ source }) => source).sort()).toEqual(["../src/counter.c", "../src/told.c"]);
});

test("of a build that fails the error is shown, and not what is printed after it", async () => {
  const long = "for i in $$(seq 200); do echo line $$i of config.log with conftest.c:1: error: it; done";
  const failing = `@echo "checking for a thing... no"; echo "configure: error: the thing is needed"; echo "\ttail -v -n +0 config.log"; ${long}; exit 1`;
  unpack({ "build-arch": failing });
  const failed = await build().catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(SutureError);
  const { code, message } = failed as SutureError;
  expect(code).toBe("BUILD_FAILED");
  expect(message).toContain("configure: error: the thing is needed");
  expect(message).not.toContain("of config.log");
});

const ROOT = process.getuid?.() === 0;

test.runIf(ROOT)("a build finds what it asks for, and nothing else that is installed for builds", async () => {
  const musl = "/usr/include/x86_64-linux-musl/stdio.h";
  const seen = `for f in ${musl} /usr/include/stdio.h; do test ! -e $$f || echo $$f >>out/seen; done`;
  unpack({ "build-arch": `${COMPILE}\n${LINK}\n${seen}` });
  await build();
  expect(existsSync(musl)).toBe(true);
  expect(readFileSync(join(tree, "out/seen"), "utf8")).toBe("/usr/include/stdio.h\n");

  const control = join(tree, "debian/control");
  writeFileSync(control, readFileSync(control, "utf8").replace("nothing-dev", "musl-tools [linux-any] <!nocheck>"));
  rmSync(join(tree, "out"), { recursive: true });
  await build();
  expect(readFileSync(join(tree, "out/seen"), "utf8")).toBe(`${musl}\n/usr/include/stdio.h\n`);
});

test.runIf(ROOT)("a package that keeps its build path in its code is built at the path of what ships", async () => {
  const compile = "gcc -O2 -I$(CURDIR)/src -c -o $$f.o $(CURDIR)/src/$$f.c";
  unpack({ "build-arch": `mkdir -p out && cd out && for f in counter told; do ${compile}; done\n${LINK}` });
  const path = `/suture-${process.pid}/reproducible-path/${NAME}`;
  const shipped = join(at.path, "counter");
  {
    // What another machine would have built there.
    using place = await placeAt(path, tree, undefined);
    if (place === undefined) throw new Error("no private mount");
    const [program = "", ...args] = place.command(["debian/rules", "build-arch"]);
    execFileSync(program, args, { stdio: "ignore" });
    copyFileSync(join(tree, "out/counter"), shipped);
    rmSync(join(tree, "out"), { recursive: true });
  }
  expect(existsSync(dirname(dirname(path)))).toBe(false);
  expect(shippedBuildPath(NAME, [shipped])).toBe(path);
  const commands = await build({ shipped: [shipped] });
  expect(existsSync(dirname(dirname(path)))).toBe(false);
  expect(commands.map(({ directory }) => directory)).toEqual([join(tree, "out"), join(tree, "out")]);
  expect(livepatch(commands, shipped)).toEqual({ codes: [], functions: ["second"] });
});
