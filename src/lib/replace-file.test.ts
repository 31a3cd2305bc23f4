import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkOutput, replaceFile } from "./replace-file.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "suture-replace-test-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("a file is made, and replaced, and nothing else is left", async () => {
  const path = join(directory, "file");
  await replaceFile(path, "one");
  await replaceFile(path, Buffer.from("two"));
  expect(readFileSync(path, "utf8")).toBe("two");
  expect(readdirSync(directory)).toEqual(["file"]);
});

test("a directory that is not there, or is in the way, is OUTPUT_NOT_WRITABLE", async () => {
  mkdirSync(join(directory, "taken/full"), { recursive: true });
  for (const path of ["absent/file", "taken"]) {
    const where = join(directory, path);
    await expect(checkOutput(where, [])).rejects.toMatchObject({ code: "OUTPUT_NOT_WRITABLE", where });
    await expect(replaceFile(where, "x")).rejects.toMatchObject({ code: "OUTPUT_NOT_WRITABLE", where });
  }
  expect(readdirSync(directory)).toEqual(["taken"]);
});

test("on a full disk the file that was there stays as it was", () => {
  writeFileSync(join(directory, "unrelated"), "");
  const script = `
    import { readdirSync, readFileSync, writeFileSync } from "node:fs";
    import { checkOutput, replaceFile } from "${new URL("replace-file.ts", import.meta.url).href}";
    writeFileSync("${directory}/file", "before");
    const code = await replaceFile("${directory}/file", Buffer.alloc(200_000)).then(() => "none", (error) => error.code);
    console.log(code, readFileSync("${directory}/file", "utf8"), readdirSync("${directory}").join());`;
  const command = `mount -t tmpfs -o size=64k none ${directory} && exec "$0" "$@"`;
  const args = ["-rm", "sh", "-c", command, process.execPath, "--input-type=module", "-e", script];
  expect(spawnSync("unshare", args, { encoding: "utf8" }).stdout).toBe("DISK_FULL before file\n");
});
