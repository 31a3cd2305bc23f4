import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../lib/temp.ts";
import { checkConfigOf } from "./config-agrees.ts";

test("a configuration with an option that no Kconfig file of the tree declares is of another source", async () => {
  await using directory = await temporaryDirectory();
  const tree = directory.path;
  mkdirSync(join(tree, "kernel"));
  writeFileSync(join(tree, "Kconfig"), "config A\n\tbool\n# config COMMENT\nmenuconfig B\n\tbool\n");
  writeFileSync(join(tree, "kernel/Kconfig.preempt"), "if A\n\tconfig C\n\t\tint\nendif\n");
  writeFileSync(join(tree, "kernel/notes.txt"), "config D\n");
  const check = async (...names: string[]) =>
    await checkConfigOf(tree, new Map(names.map((name) => [name, "y"])), "6.1.0-9-rt-amd64", "linux-source.deb");
  await check("A", "B", "C");
  await expect(check("A", "D", "COMMENT")).rejects.toMatchObject({
    code: "SOURCE_OF_ANOTHER_KERNEL",
    message: "the source is not the one that 6.1.0-9-rt-amd64 was built from",
    where: "linux-source.deb: the configuration sets CONFIG_D, CONFIG_COMMENT, which the source does not know",
  });
});
