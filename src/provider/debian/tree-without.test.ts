import { lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { SutureError } from "../../lib/error.ts";
import { temporaryDirectory } from "../../lib/temp.ts";
import { treeWithout } from "./tree-without.ts";

const CHANGE = `--- a/src/a.c
+++ b/src/a.c
@@ -1 +1 @@
-int a = 1;
+int a = 2;
`;
const AGAIN = CHANGE.replace("= 2", "= 3").replace("= 1", "= 2");
const NEW = `--- /dev/null
+++ b/src/new.c
@@ -0,0 +1 @@
+int added;
`;
const PATCHES = Object.entries({ CHANGE, NEW, AGAIN }).map(([name, text]) => ({ name, data: Buffer.from(text) }));
const FILES = {
  "src/a.c": "int a = 3;\n",
  "src/new.c": "int added;\n",
  "src/b.c": "int b;\n",
  "build/src/a.c": "int a = 3;\n",
  "build/src/b.c": "int b;\n",
  "build/src/new.c": "int added;\n",
  "other/src/a.c": "int a = 4;\n",
  "program.o": "code\n",
};

test("a tree without its last patches shares what they leave alone, and leaves the tree that has them as it is", async () => {
  await using at = await temporaryDirectory();
  const [from, to] = [join(at.path, "from"), join(at.path, "to")];
  for (const [path, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(from, path)), { recursive: true });
    writeFileSync(join(from, path), text, { mode: 0o640 });
  }
  mkdirSync(join(from, "linked/src"), { recursive: true });
  symlinkSync("../../src/a.c", join(from, "linked/src/a.c"));
  const sources = ["build/src/a.c", "other/src/a.c", "linked/src/a.c"];
  await treeWithout(PATCHES, { from, to, sources }, undefined);

  const textsIn = (tree: string) => Object.keys(FILES).map((path) => textOf(join(tree, path)));
  expect(textsIn(from)).toEqual(Object.values(FILES));
  const first = "int a = 1;\n";
  expect(textsIn(to)).toEqual([first, undefined, "int b;\n", first, "int b;\n", undefined, "int a = 4;\n", "code\n"]);
  expect(textOf(join(to, "linked/src/a.c"))).toBe(first);
  expect(lstatSync(join(to, "linked/src/a.c")).isSymbolicLink()).toBe(true);
  const isShared = (path: string) => lstatSync(join(from, path)).ino === lstatSync(join(to, path)).ino;
  expect(["program.o", "src/b.c", "build/src/b.c", "other/src/a.c"].map(isShared)).toEqual([true, true, true, true]);
  expect(["src/a.c", "build/src/a.c"].map(isShared)).toEqual([false, false]);
  expect(lstatSync(join(to, "src/a.c")).mode & 0o777).toBe(0o640);
});

test("a patch that is not the last one of those that are on is refused, and the tree that has it stays", async () => {
  await using at = await temporaryDirectory();
  const [from, to] = [join(at.path, "from"), join(at.path, "to")];
  mkdirSync(join(from, "src"), { recursive: true });
  writeFileSync(join(from, "src/a.c"), "int a = 3;\n");
  const failed = await treeWithout(PATCHES.slice(0, 1), { from, to, sources: [] }, undefined).catch((error) => error);
  expect(failed).toBeInstanceOf(SutureError);
  expect((failed as SutureError).code).toBe("DIFF_DOES_NOT_APPLY");
  expect(textOf(join(from, "src/a.c"))).toBe("int a = 3;\n");
});

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
