import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../lib/temp.ts";
import type { CompileCommand } from "../../../provider/program/command-line.ts";
import { sourceTreeFor } from "./source-tree.ts";

/** Of `top/src/main.c`, with or without directories before it. */
async function treeFor(...names: readonly string[]): Promise<string> {
  await using directory = await temporaryDirectory();
  const top = join(directory.path, "top");
  mkdirSync(join(top, "src"), { recursive: true });
  mkdirSync(join(top, ".git"));
  writeFileSync(join(top, "src/main.c"), "int a;\n");
  const command = { directory: join(top, "src"), source: "main.c" } as CompileCommand;
  const diff = names.map((name) => `--- ${name}\n+++ ${name}\n@@ -1 +1 @@\n-int a;\n+int b;\n`).join("");
  const tree = await sourceTreeFor([command], [{ name: "a.patch", data: Buffer.from(diff) }], undefined);
  return tree.slice(directory.path.length + 1);
}

test("a diff is for the directory in which its names are there, however many directories they have", async () => {
  expect(await treeFor("main.c")).toBe("top/src");
  expect(await treeFor("a/main.c")).toBe("top/src");
  expect(await treeFor("src/main.c")).toBe("top/src");
  expect(await treeFor("a/src/main.c")).toBe("top");
  expect(await treeFor("old-1.0/a/src/main.c")).toBe("top/src");
  expect(await treeFor("other.c", "main.c")).toBe("top/src");
});
