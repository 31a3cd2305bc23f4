import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentProgress } from "../../../lib/progress.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../../lib/temp.ts";
import type { Unit } from "../../../provider/kernel/unit.ts";
import { graphOf } from "./include-graph.ts";
import { scanIncludes } from "./include-scan.ts";

let tree: TemporaryDirectory;

beforeEach(async () => {
  tree = await temporaryDirectory();
});

afterEach(async () => {
  await tree[Symbol.asyncDispose]();
});

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(tree.path, path)), { recursive: true });
    await writeFile(join(tree.path, path), text);
  }
}

function unit(source: string, ...args: string[]): Unit {
  return { source, object: `${source}.o`, lands: { kind: "vmlinux" }, args, objtool: undefined };
}

/** The units, and assembly, that may read a file. */
async function readers(path: string, units: readonly Unit[], isNew = false, roots: string[] = []): Promise<string[]> {
  const graph = graphOf(await scanIncludes(tree.path, units, roots, { progress: silentProgress }));
  const sources = new Set([...units.map(({ source }) => source), ...roots]);
  return [...graph.readersOf([path], isNew ? [path] : [])].filter((each) => sources.has(each)).sort();
}

test("a unit that another one includes is read by that one", async () => {
  await write({ "a.c": "int a;", "b.c": '#include "a.c"\n', "c.c": "int c;" });
  const units = [unit("a.c"), unit("b.c"), unit("c.c")];
  expect(await readers("a.c", units)).toEqual(["b.c"]);
  const graph = graphOf(await scanIncludes(tree.path, units, [], { progress: silentProgress }));
  expect(graph.sourcesRead()).toEqual(["a.c"]);
});

test.each([
  ["comments in the directive", '/* a */ # /* b */ include /* c */ "x.h"'],
  ["a directive that goes on in the next line", '#include \\\n "x.h"'],
  ["a digraph", '%:include "x.h"'],
  ["include_next", "#include_next <x.h>"],
  ["a macro in the same file", "#define FILE_NAME <x.h>\n#include FILE_NAME"],
  ["a macro with an argument", "#define STR(n) #n\n#define IN(n) STR(n.h)\n#include IN(x)"],
  ["macros in several files", '#include "names.h"\n#include ALL_OF(WHAT)'],
  ["a question whether it is there", '#if __has_include("x.h")\nint has_it;\n#endif'],
  ["the assembler", '__asm__(".incbin \\"include/x.h\\"");'],
])("an include is found that is written with %s", async (_, text) => {
  const names = "#define WHAT x\n#define AS_TEXT(a) #a\n#define ALL_OF(a) AS_TEXT(a.h)\n";
  await write({ "u.c": `${text}\n`, "include/x.h": "int x;", "include/names.h": names });
  expect(await readers("include/x.h", [unit("u.c", "-Iinclude")])).toEqual(["u.c"]);
});

test("what pastes words to a name is read by many, and who includes by it reads any file", async () => {
  await write({
    "u.c": '#include "paste.h"\n#include "template.h"\n',
    "v.c": '#include "paste.h"\nint v;',
    "paste.h": "#define JOINED(a, b) a ## b\n#define TEXT(a) #a\n",
    "template.h": "#define KIND x\n#define FILE_NAME TEXT(JOINED(KIND, _defs.h))\n#include FILE_NAME\n",
    "x_defs.h": "int x;",
    "other.h": "int o;",
  });
  const units = [unit("u.c"), unit("v.c")];
  expect(await readers("x_defs.h", units)).toEqual(["u.c"]);
  expect(await readers("other.h", units)).toEqual(["u.c"]);
  expect(await readers("paste.h", units)).toEqual(["u.c", "v.c"]);
});

test("a macro that the command line defines can be a file's name", async () => {
  await write({ "u.c": "#include CONFIG_TABLE\n", "v.c": "int v;", "table.h": "int t;" });
  const units = [unit("u.c", '-DCONFIG_TABLE="table.h"'), unit("v.c")];
  expect(await readers("table.h", units)).toEqual(["u.c"]);
});

test("a name counts for each directory in which a unit may find it", async () => {
  await write({ "u.c": "#include <x.h>\n", "v.c": "#include <x.h>\n", "one/x.h": "", "two/x.h": "" });
  const units = [unit("u.c", "-Ione", "-Itwo"), unit("v.c", "-Itwo", "-Ione")];
  expect(await readers("two/x.h", units)).toEqual(["u.c", "v.c"]);
});

test("a new file is read by who reads one of its name, and by who asked for it in vain", async () => {
  await write({
    "dir/u.c": "#include <x.h>\n",
    "v.c": '#if __has_include("errata/three.h")\n#include "errata/three.h"\n#endif\n',
    "w.c": "int w;",
    "include/x.h": "",
  });
  const units = [unit("dir/u.c", "-Idir", "-Iinclude"), unit("v.c"), unit("w.c")];
  expect(await readers("dir/x.h", units, true)).toEqual(["dir/u.c"]);
  expect(await readers("errata/three.h", units, true)).toEqual(["v.c"]);
});

test("assembly reads files too", async () => {
  await write({ "a.S": "#include <x.h>\n", "u.c": "int u;", "include/x.h": "#define N 1\n" });
  expect(await readers("include/x.h", [unit("u.c", "-Iinclude")], false, ["a.S"])).toEqual(["a.S"]);
});
