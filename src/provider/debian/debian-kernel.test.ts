import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../lib/temp.ts";
import { checkSourceVersion } from "./debian-kernel.ts";

test("a source of another version than the kernel's is not taken", async () => {
  await using tree = await temporaryDirectory();
  writeFileSync(join(tree.path, "Makefile"), "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 98\nEXTRAVERSION =\n");
  const check = (version: string): Promise<void> => checkSourceVersion(tree.path, version, "source.deb");
  await expect(check("6.1.98-1")).resolves.toBeUndefined();
  await expect(check("6.1.98-1~deb12u1")).resolves.toBeUndefined();
  for (const version of ["6.1.9-1", "6.1.99-1", "6.1.980-1", "6.12.98-1"]) {
    await expect(check(version)).rejects.toMatchObject({
      code: "SOURCE_OF_ANOTHER_KERNEL",
      message: `the source package holds Linux 6.1.98, the kernel is ${version}`,
    });
  }
});

test("a source before its release is told by the candidate that it is", async () => {
  await using tree = await temporaryDirectory();
  writeFileSync(join(tree.path, "Makefile"), "VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 0\nEXTRAVERSION = -rc7\n");
  const check = (version: string): Promise<void> => checkSourceVersion(tree.path, version, "source.deb");
  await expect(check("7.3~rc7-1~exp1")).resolves.toBeUndefined();
  for (const version of ["7.3~rc6-1~exp1", "7.3-1", "7.3.0-1", "7.3.0~rc7-1"]) {
    await expect(check(version)).rejects.toMatchObject({ code: "SOURCE_OF_ANOTHER_KERNEL" });
  }
});
