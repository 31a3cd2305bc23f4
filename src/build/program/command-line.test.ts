import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compilesOf, shellWords } from "./command-line.ts";
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
