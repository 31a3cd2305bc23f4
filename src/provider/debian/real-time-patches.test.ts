import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../lib/temp.ts";
import { applyPatches } from "./real-time-patches.ts";

const PATCHES = `From: somebody
Subject: two files, one of a folder that is not there

diff --git a/kernel/a.c b/kernel/a.c
--- a/kernel/a.c
+++ b/kernel/a.c
@@ -1,2 +1,2 @@
 int a;
-int b;
+int c;
--- a/arch/arm/b.c
+++ b/arch/arm/b.c
@@ -1 +1 @@
-int d;
+int e;
From: somebody else
--- a/kernel/a.c
+++ b/kernel/a.c
@@ -1,2 +1,3 @@
 int a;
 int c;
+int f;
--- /dev/null
+++ b/kernel/new.c
@@ -0,0 +1 @@
+int n;
`;

test("patches are applied in their order, but for those of folders that are left out", async () => {
  await using tree = await temporaryDirectory();
  mkdirSync(join(tree.path, "kernel"));
  writeFileSync(join(tree.path, "kernel/a.c"), "int a;\nint b;\n");
  await applyPatches(PATCHES, tree.path, ["arch/arm", "sound"]);
  expect(readFileSync(join(tree.path, "kernel/a.c"), "utf8")).toBe("int a;\nint c;\nint f;\n");
  expect(readFileSync(join(tree.path, "kernel/new.c"), "utf8")).toBe("int n;\n");
});

test.each([
  ["another source", "int a;\nint x;\n", ["arch/arm"]],
  ["a line beside the change that differs", "int A;\nint b;\n", ["arch/arm"]],
  ["a file that is not there", "int a;\nint b;\n", []],
])("%s is refused", async (_what, text, leftOut) => {
  await using tree = await temporaryDirectory();
  mkdirSync(join(tree.path, "kernel"));
  writeFileSync(join(tree.path, "kernel/a.c"), text);
  await expect(applyPatches(PATCHES, tree.path, leftOut)).rejects.toMatchObject({ code: "SOURCE_OF_ANOTHER_KERNEL" });
});
