import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Cache, cacheDirectory } from "./cache.ts";

const lib = new URL(".", import.meta.url).href;
let directory: string;
let cache: Cache;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "suture-cache-test-"));
  cache = new Cache(directory);
});
afterEach(() => rmSync(directory, { recursive: true }));

test("the directory is SUTURE_CACHE, else XDG_CACHE_HOME/suture, else ~/.cache/suture", () => {
  expect(cacheDirectory({ SUTURE_CACHE: "/a", XDG_CACHE_HOME: "/b" })).toBe("/a");
  expect(cacheDirectory({ XDG_CACHE_HOME: "/b" })).toBe("/b/suture");
  expect(cacheDirectory({ XDG_CACHE_HOME: "relative" })).toBe(join(homedir(), ".cache/suture"));
  expect(cacheDirectory({ SUTURE_CACHE: "" })).toBe(join(homedir(), ".cache/suture"));
});

test("an entry is named by its parts, their borders included", () => {
  expect(cache.entry("k", ["a", "b"]).path).toBe(cache.entry("k", ["a", Buffer.from("b")]).path);
  const paths = [["ab"], ["a", "b"], ["b", "a"], ["ab", ""]].map((parts) => cache.entry("k", parts).path);
  expect(new Set(paths).size).toBe(4);
});

test("a name cannot lead out of the cache", () => {
  for (const name of ["..", ".hidden", "a/b", "", "a\0b", "x".repeat(300)]) {
    expect(() => cache.named("kernels", name)).toThrow(expect.objectContaining({ code: "BAD_NAME" }));
  }
  expect(cache.named("kernels", "6.12.107+deb12-cloud-amd64").path).toBe(
    join(directory, "kernels/6.12.107+deb12-cloud-amd64"),
  );
});

test("what was written is read; what was not is undefined", async () => {
  const entry = cache.entry("objects", ["x"]);
  expect(entry.exists()).toBe(false);
  expect(await entry.read()).toBeUndefined();
  await entry.write("bytes");
  expect(entry.exists()).toBe(true);
  expect(String(await entry.read())).toBe("bytes");
});

test("a directory is whole when it appears", async () => {
  const entry = cache.named("kernels", "one");
  await entry.makeDirectory(async (path) => {
    expect(entry.exists()).toBe(false);
    expect(path).not.toBe(entry.path);
    writeFileSync(join(path, "file"), "x");
  });
  expect(readFileSync(join(entry.path, "file"), "utf8")).toBe("x");
});

test("failing work leaves nothing behind", async () => {
  const entry = cache.named("kernels", "one");
  const failing = entry.makeDirectory(async (path) => {
    writeFileSync(join(path, "half"), "x");
    throw new Error("work");
  });
  await expect(failing).rejects.toThrow("work");
  expect(readdirSync(join(directory, "kernels"))).toEqual([]);
});

test("of two that make the same directory the first one's stays, and the other's is dropped", async () => {
  const entry = cache.named("kernels", "one");
  await entry.makeDirectory(async (slow) => {
    writeFileSync(join(slow, "by"), "slow");
    await cache.named("kernels", "one").makeDirectory(async (fast) => writeFile(join(fast, "by"), "fast"));
  });
  expect(readFileSync(join(entry.path, "by"), "utf8")).toBe("fast");
  expect(readdirSync(join(directory, "kernels"))).toEqual(["one"]);
});

test("processes that write the same entry at once leave one whole file", async () => {
  const script = `
    import { Cache } from "${lib}cache.ts";
    const entry = new Cache("${directory}").entry("objects", ["same"]);
    for (let round = 0; round < 50; round++) {
      await entry.write(Buffer.alloc(100_000, process.argv[1]));
      const bytes = await entry.read();
      if (bytes.length !== 100_000 || bytes.some((byte) => byte !== bytes[0])) process.exit(9);
    }`;
  const children = ["a", "b", "c"].map((letter) =>
    spawn(process.execPath, ["--input-type=module", "-e", script, letter], { stdio: "inherit" }),
  );
  expect(await Promise.all(children.map((child) => once(child, "close")))).toEqual(Array(3).fill([0, null]));
  const entry = cache.entry("objects", ["same"]);
  expect(readdirSync(dirname(entry.path))).toHaveLength(1);
});

test("an entry that is removed is gone, and removing it again is no error", async () => {
  const entry = cache.named("kernels", "one");
  await entry.makeDirectory(async (path) => {
    mkdirSync(join(path, "deep/er"), { recursive: true });
  });
  await entry.remove();
  await entry.remove();
  expect(readdirSync(join(directory, "kernels"))).toEqual([]);
});

test("what a killed process left half done is removed by the next that works on the entry", async () => {
  const script = `
    import { Cache } from "${lib}cache.ts";
    await new Cache("${directory}").named("kernels", "one").makeDirectory(async () => process.kill(process.pid, "SIGKILL"));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script]);
  await once(child, "close");
  expect(readdirSync(join(directory, "kernels"))).toHaveLength(1);
  await cache.named("kernels", "one").locked(async () => {});
  expect(readdirSync(join(directory, "kernels"))).toEqual([]);
});

test("a full disk is DISK_FULL naming the directory, and nothing is left half done", async () => {
  const script = `
    import { readdirSync } from "node:fs";
    import { writeFile } from "node:fs/promises";
    import { Cache } from "${lib}cache.ts";
    import { run } from "${lib}run.ts";
    const cache = new Cache("${directory}");
    const big = Buffer.alloc(200_000);
    const codeOf = (work) => work.then(() => "none", (error) => error.code + " " + error.where);
    console.log(await codeOf(cache.named("a", "file").write(big)));
    console.log(await codeOf(cache.named("b", "directory").makeDirectory((path) => writeFile(path + "/x", big))));
    console.log(await codeOf(cache.named("c", "program").file(async (path) => {
      await run("dd", ["if=/dev/zero", "of=" + path, "bs=1k", "count=200"], { check: true });
    })));
    console.log(...["a", "b", "c"].flatMap((kind) => readdirSync(cache.kind(kind))));`;
  const { stdout, stderr } = spawnSync(
    "unshare",
    [
      "-rm",
      "sh",
      "-c",
      `mount -t tmpfs -o size=64k,mode=755 none ${directory} && exec "$0" "$@"`,
      process.execPath,
    ].concat(["--input-type=module", "-e", script]),
    { encoding: "utf8" },
  );
  expect(stderr).toBe("");
  expect(stdout.split("\n")).toEqual([
    `DISK_FULL ${directory}/a`,
    `DISK_FULL ${directory}/b`,
    `DISK_FULL ${directory}/c`,
    "",
    "",
  ]);
});

test("a directory that cannot be written to is said so", async () => {
  writeFileSync(join(directory, "file"), "");
  const blocked = new Cache(join(directory, "file/below"));
  await expect(blocked.named("a", "b").write("x")).rejects.toMatchObject({ code: "CACHE_NOT_WRITABLE" });
  expect(existsSync(blocked.directory)).toBe(false);
});

test("a file entry that was cut, emptied or overwritten is not there any more", async () => {
  const entry = cache.entry("objects", ["x"]);
  const whole = Buffer.from("some bytes that somebody needs");
  for (const damage of [
    (data: Buffer) => data.subarray(0, data.length - 1),
    () => Buffer.alloc(0),
    (data: Buffer) => Buffer.alloc(data.length),
    (data: Buffer) => Buffer.concat([data, Buffer.from("x")]),
  ]) {
    await entry.write(whole);
    expect((await entry.read())?.equals(whole)).toBe(true);
    writeFileSync(entry.path, damage(readFileSync(entry.path)));
    expect(await entry.read()).toBeUndefined();
  }
});

test("a file that a program needs by its path is made again where it is not whole", async () => {
  const entry = cache.named("packages", "a.deb");
  let made = 0;
  const get = async () => await entry.file(async (path) => writeFile(path, `package ${++made}`));
  expect([await get(), await get(), made]).toEqual([entry.path, entry.path, 1]);
  writeFileSync(entry.path, "pack");
  await get();
  expect(readFileSync(entry.path, "utf8")).toBe("package 2");
  writeFileSync(`${entry.path}.sha256`, "");
  await get();
  expect(made).toBe(3);
});

test.each(["contents", "states"] as const)(
  "whatever happens to a file of a directory sealed by %s is seen",
  async (kind) => {
    const entry = cache.named("kernels", "one");
    const make = async () =>
      await entry.makeDirectory(async (path) => {
        mkdirSync(join(path, "deep/er"), { recursive: true });
        writeFileSync(join(path, "deep/er/file"), "bytes");
        writeFileSync(join(path, "beside"), "bytes");
        symlinkSync("beside", join(path, "link"));
      }, kind);
    await make();
    expect(await entry.damage()).toBeUndefined();
    for (const name of ["deep/er/file", "beside", "seal/deep", "seal/.beside"]) {
      const path = join(entry.path, name);
      const whole = readFileSync(path);
      for (const data of [Buffer.alloc(0), whole.subarray(1), Buffer.alloc(whole.length)]) {
        writeFileSync(path, data);
        expect([name, await entry.damage()]).toEqual([name, path]);
      }
      await entry.remove();
      await make();
    }
    rmSync(join(entry.path, "link"));
    expect(await entry.damage()).toBe(join(entry.path, "link"));
  },
);

test("a cache that others can write to, or own, is none to take code from", () => {
  chmodSync(directory, 0o777);
  const isRefused = expect.objectContaining({ code: "CACHE_OF_ANOTHER_USER" });
  expect(() => new Cache(directory).named("kernels", "one")).toThrow(isRefused);
  chmodSync(directory, 0o755);
  if (process.geteuid?.() !== 0) return;
  chownSync(directory, 65534, 65534);
  expect(() => new Cache(directory).entry("objects", ["x"])).toThrow(isRefused);
});
