import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../lib/temp.ts";
import { compilesOf, shellWords } from "../program/command-line.ts";
import { withSources } from "./source-archive.ts";

describe("a compiler's command line", () => {
  test("keeps what decides the code, and drops files, dependencies and debug information", () => {
    const argv = "gcc -g3 -O2 -MMD -MF x.d -MT x.o -DA=1 -I inc -isystem /s -c -o out/x.o src/x.c -pipe".split(" ");
    expect(compilesOf(argv, "/w")).toEqual([
      {
        compiler: "gcc",
        directory: "/w",
        source: "src/x.c",
        args: ["-O2", "-DA=1", "-I", "inc", "-isystem", "/s"],
        object: "/w/out/x.o",
      },
    ]);
  });

  test("writes nothing beside the source: what dumps is left out", async () => {
    await using directory = await temporaryDirectory();
    writeFileSync(join(directory.path, "a.c"), "int a(int b) { return b + 1; }\n");
    const dumps =
      "-save-temps -fdump-tree-all -fdump-rtl-all -da -fstack-usage -fcallgraph-info=su -fopt-info-all=opt -aux-info aux " +
      "-Wa,-adhln=a.lst -dumpdir d. -dumpbase b -MD -MF a.d -gsplit-dwarf -Q";
    const [compile] = compilesOf(["gcc", "-O2", ...dumps.split(" "), "-c", "a.c"], directory.path);
    expect(compile?.args).toEqual(["-O2"]);
    const made = join(directory.path, "out");
    mkdirSync(made);
    execFileSync("gcc", [...(compile?.args ?? []), "-c", "-o", "out/a.o", "a.c"], { cwd: directory.path });
    expect([readdirSync(directory.path).sort(), readdirSync(made)]).toEqual([["a.c", "out"], ["a.o"]]);
  });

  test("that compiles and links in one is one compile a source", () => {
    const compiles = compilesOf(["cc", "-O2", "a.c", "b.cpp", "-lz", "-L", "lib", "-o", "program"], "/w");
    expect(compiles.map(({ source, args, object }) => [source, args, object])).toEqual([
      ["a.c", ["-O2"], undefined],
      ["b.cpp", ["-O2"], undefined],
    ]);
  });

  test("that links, preprocesses or asks compiles nothing", () => {
    for (const words of [
      "-o p a.o b.o",
      "-E a.c",
      "-M a.c",
      "--version",
      "-S a.c",
      "-c -emit-llvm a.c",
      "-fsyntax-only a.c",
      "-print-prog-name=ld",
    ])
      expect(compilesOf(["gcc", ...words.split(" ")], "/w")).toEqual([]);
  });

  test("written for a shell is read as the shell does", () => {
    expect(shellWords(`cc -DA='"x y"' -DB=\\"z\\" "-DC=\\$1" a\\ b.c`)).toEqual([
      "cc",
      '-DA="x y"',
      '-DB="z"',
      "-DC=$1",
      "a b.c",
    ]);
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        const text = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
        expect(shellWords(text)).toEqual(words);
      }),
    );
  });
});

test("sources of packages get the sources of the same places, with the keys they are signed with", () => {
  const list =
    "# it\ndeb [signed-by=/k.gpg] http://a.example/debian stable main\ndeb-src http://a.example/debian old main\n";
  expect(withSources(list, "list")).toBe(
    "deb [signed-by=/k.gpg] http://a.example/debian stable main\ndeb-src [signed-by=/k.gpg] http://a.example/debian stable main\n",
  );
  expect(withSources("Types: deb\nURIs: http://a.example\nSigned-By: /k.gpg\n", "sources")).toBe(
    "Types: deb deb-src\nURIs: http://a.example\nSigned-By: /k.gpg\n",
  );
});
