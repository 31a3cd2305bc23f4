import { readdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createFile } from "./create-file.ts";
import { temporaryDirectory } from "./temp.ts";

test("a file is made with its mode, and what is there is left as it is", async () => {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, "key");
  expect(await createFile(path, "one", 0o600)).toBe(true);
  expect(await createFile(path, "two", 0o600)).toBe(false);
  expect(readFileSync(path, "utf8")).toBe("one");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory.path)).toEqual(["key"]);
});

test("a link is there, also where it leads to nothing", async () => {
  await using directory = await temporaryDirectory();
  symlinkSync("absent", join(directory.path, "key"));
  expect(await createFile(join(directory.path, "key"), "one", 0o600)).toBe(false);
  expect(readdirSync(directory.path)).toEqual(["key"]);
});

test("where it cannot be made nothing is left", async () => {
  await using directory = await temporaryDirectory();
  await expect(createFile(join(directory.path, "absent/key"), "one", 0o600)).rejects.toMatchObject({
    code: "OUTPUT_NOT_WRITABLE",
  });
  expect(readdirSync(directory.path)).toEqual([]);
});
