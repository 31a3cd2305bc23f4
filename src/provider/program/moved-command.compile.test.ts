import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TemporaryDirectory, temporaryDirectory } from "../../lib/temp.ts";
import { compilesOf } from "./command-line.ts";
import { movedCommand } from "./moved-command.ts";

const command = { compiler: "gcc", directory: "/tree/build", source: "../src/x.c", object: undefined };

test("options that name paths name those of the view, and the values of macros stay", () => {
  const args = ["-I/tree/inc", "-I", "/tree/more", "-I/other", '-DROOT="/tree"', "-ffile-prefix-map=/tree=."];
  expect(movedCommand({ ...command, args }, "/tree", "/view")).toMatchObject({
    directory: "/view/build",
    source: "../src/x.c",
    args: [
      ...["-I/view/inc", "-I", "/view/more", "-I/other", '-DROOT="/tree"', "-ffile-prefix-map=/tree=."],
      ...["-fmacro-prefix-map=/view=/tree", "-fmacro-prefix-map=/view=."],
    ],
  });
});

describe("what __FILE__ says is the same in a view as in the tree", () => {
  let at: TemporaryDirectory;
  let top: string;
  let tree: string;
  beforeAll(async () => {
    at = await temporaryDirectory();
    top = at.path;
    tree = join(top, "package/tree");
    for (const path of ["package/tree/src/sub", "package/tree/include", "package/tree/build/deep", "package/beside"])
      mkdirSync(join(top, path), { recursive: true });
    writeFileSync(join(tree, "src/x.c"), '#include "h.h"\n#include "sub/l.h"\nconst char *own = __FILE__;\n');
    writeFileSync(join(tree, "src/sub/l.h"), "const char *local = __FILE__;\n");
    writeFileSync(join(tree, "include/h.h"), "const char *header = __FILE__;\n");
    symlinkSync(tree, join(top, "link"));
    symlinkSync(join(tree, "build"), join(top, "package/out"));
    cpSync(tree, join(top, "view"), { recursive: true });
  });
  afterAll(() => at[Symbol.asyncDispose]());

  /** Text after preprocessing, in which file names are strings. */
  function preprocessed({ directory, args, source }: ReturnType<typeof movedCommand>): string {
    return execFileSync("gcc", [...args, "-E", "-P", source], { cwd: directory, encoding: "utf8" });
  }

  test.each([
    ["its own folder", "package/tree", "-I include src/x.c"],
    ["another folder of the tree, with ..", "package/tree/build/deep", "-I../../include ../../src/x.c"],
    ["a whole path", "package/tree", "-I@/include @/src/x.c"],
    ["a whole path with .. in it", "package/tree/build", "-I@/build/../include @/build/../src/sub/../x.c"],
    ["a folder beside the tree", "package/beside", "-I../tree/include ../tree/src/x.c"],
    ["a folder beside the tree, by whole paths", "package/beside", "-I@/include @/src/x.c"],
    ["a folder beside the tree, each path another way", "package/beside", "-I../../link/include @/../tree/src/x.c"],
    ["a path that leaves the tree and comes back", "package/tree/build", "-I../../tree/include ../../tree/src/x.c"],
    ["a link to the tree", "package/tree", "-I%/link/include %/link/src/x.c"],
    ["a whole path that is mapped", "package/tree", "-ffile-prefix-map=@=. -I@/include @/src/x.c"],
    [
      "two maps, of which the later counts",
      "package/tree",
      "-fmacro-prefix-map=@/src=S -fmacro-prefix-map=@=T -I@/include @/src/x.c",
    ],
    ["a map of the folder above", "package/beside", "-fmacro-prefix-map=%=/usr/src -I@/include @/src/x.c"],
    [
      "a map of a relative path",
      "package/beside",
      "-fmacro-prefix-map=../tree/src=mine -I../tree/include ../tree/src/x.c",
    ],
  ])("named by %s", (_, directory, words) => {
    const argv = words.replaceAll("@", tree).replaceAll("%", top).split(" ");
    const [compile] = compilesOf(["gcc", ...argv, "-c"], join(top, directory));
    if (compile === undefined) throw new Error(words);
    const moved = movedCommand(compile, tree, join(top, "view"));
    expect(preprocessed(moved)).toBe(preprocessed(compile));
    const read = execFileSync("gcc", [...moved.args, "-MM", moved.source], { cwd: moved.directory, encoding: "utf8" });
    for (const path of read
      .replace(/^.*?:|\\\n/g, " ")
      .trim()
      .split(/\s+/)) {
      const real = execFileSync("realpath", [path], { cwd: moved.directory, encoding: "utf8" }).trim();
      expect(real.startsWith(`${join(top, "view")}/`), real).toBe(true);
      expect(readFileSync(real, "utf8")).toContain("__FILE__");
    }
  });
});
