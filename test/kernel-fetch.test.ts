/** What `suture kernel fetch` says of archives that lack something, and what it leaves behind. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { run } from "../src/lib/run.ts";
import { type LocalPackage, writeConfig, writeLocalArchive } from "./fixtures/local-archive.ts";

const bin = resolve(import.meta.dirname, "../bin/suture");
const VERSION = "6.1.99-1";
const COMPILER = "gcc-12 (Debian 12.2.0-0never) 12.2.0";
/** Bytes: unpacking so many takes a while. */
const LARGE = 256 << 20;
let root = "";
let config = "";
let cache = "";
let count = 0;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "suture-fetch-test-"));
  const installed = readFirstLine("gcc");
  const source = await sourcePackage("6.1.98");
  const archive = join(root, "archive");
  mkdirSync(archive);
  config = await writeLocalArchive(archive, [
    ...kernel("6.1.0-99-cloud-amd64", VERSION, installed),
    ...kernel("6.1.0-98-cloud-amd64", "6.1.98-1", COMPILER),
    ...kernel("6.1.0-97-cloud-amd64", "6.1.97-1", installed),
    ...kernel("6.1.0-94-cloud-amd64", VERSION, installed, {
      "boot/vmlinuz-6.1.0-94-cloud-amd64": Buffer.alloc(LARGE),
      "lib/modules/6.1.0-94-cloud-amd64/modules.order": "",
    }),
    { name: "linux-image-6.1.0-96-cloud-amd64", version: "6.1.96-1" },
    { name: "linux-kbuild-6.1", version: VERSION, files: { "usr/lib/linux-kbuild-6.1/scripts/basic/fixdep": "" } },
    { name: "linux-source-6.1", version: VERSION, files: { "usr/src/linux-source-6.1.tar.xz": source } },
    { name: "linux-source-6.1", version: "6.1.98-1", files: { "usr/src/linux-source-6.1.tar.xz": source } },
  ]);
});
afterAll(() => rmSync(root, { recursive: true }));
beforeEach(() => {
  cache = join(root, `cache${++count}`);
});

function readFirstLine(compiler: string): string {
  return spawnSync(compiler, ["--version"], { encoding: "utf8" }).stdout.split("\n", 1)[0] ?? "";
}

function kernel(release: string, version: string, compiler: string, image: LocalPackage["files"] = {}): LocalPackage[] {
  const headers = `usr/src/linux-headers-${release}`;
  return [
    { name: `linux-image-${release}`, version, files: image },
    {
      name: `linux-headers-${release}`,
      version,
      depends: `linux-headers-6.1-common, linux-kbuild-6.1 (>= ${version})`,
      files: { [`${headers}/.config`]: `CONFIG_X86_64=y\nCONFIG_CC_VERSION_TEXT="${compiler}"\n` },
    },
  ];
}

/** A tree of another version than the package's, large enough that unpacking it takes a while. */
async function sourcePackage(version: string): Promise<Buffer> {
  const tree = join(root, "source/linux-source-6.1");
  const [major, minor, patch] = version.split(".");
  mkdirSync(tree, { recursive: true });
  writeFileSync(join(tree, "Makefile"), `VERSION = ${major}\nPATCHLEVEL = ${minor}\nSUBLEVEL = ${patch}\n`);
  writeFileSync(join(tree, "zeroes"), Buffer.alloc(LARGE));
  await run("tar", ["-cJf", "../source.tar.xz", "linux-source-6.1"], { cwd: join(tree, ".."), check: true });
  return readFileSync(join(root, "source.tar.xz"));
}

function environment(aptConfig: string): NodeJS.ProcessEnv {
  return { ...process.env, SUTURE_CACHE: cache, APT_CONFIG: aptConfig, TMPDIR: root };
}

function fetch(release: string, aptConfig = config): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync(bin, ["kernel", "fetch", release], {
    encoding: "utf8",
    env: environment(aptConfig),
  });
  return { status, stderr };
}

/** What there is in the cache of kernels and downloads beside whole files. */
function leftBehind(): string[] {
  return ["kernels", "packages"]
    .map((kind) => join(cache, kind))
    .filter(existsSync)
    .flatMap((directory) => readdirSync(directory))
    .filter((name) => !/\.deb(\.sha256)?$/.test(name));
}

describe("each ends with exit code 1, its own words and nothing left behind", () => {
  test("a release that the archive lacks: the near ones are named", () => {
    const { status, stderr } = fetch("6.1.0-95-cloud-amd64");
    expect(stderr).toContain("KERNEL_NOT_IN_ARCHIVE: the archive has no kernel 6.1.0-95-cloud-amd64");
    expect(stderr).toContain("near ones: 6.1.0-99-cloud-amd64, 6.1.0-98-cloud-amd64");
    expect([status, leftBehind()]).toEqual([1, []]);
  });

  test("a build for a release that the archive lacks", () => {
    const diff = join(root, "a.patch");
    writeFileSync(diff, "--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-int a;\n+int b;\n");
    const { status, stderr } = spawnSync(bin, ["build", "--kernel", "6.1.0-95-cloud-amd64", diff], {
      encoding: "utf8",
      env: environment(config),
    });
    expect(stderr).toContain("KERNEL_NOT_IN_ARCHIVE: the archive has no kernel 6.1.0-95-cloud-amd64");
    expect([status, leftBehind()]).toEqual([1, []]);
  });

  test("a package that is missing, of any version", () => {
    const { status, stderr } = fetch("6.1.0-96-cloud-amd64");
    expect(stderr).toContain(
      "PACKAGE_MISSING: the archive has no linux-headers-6.1.0-96-cloud-amd64 of version 6.1.96-1",
    );
    expect([status, leftBehind()]).toEqual([1, []]);
  });

  test("a source of other versions only: they are named", () => {
    const { status, stderr } = fetch("6.1.0-97-cloud-amd64");
    expect(stderr).toContain("PACKAGE_MISSING: the archive has no linux-source-6.1 of version 6.1.97-1");
    expect(stderr).toContain("6.1.99-1, 6.1.98-1");
    expect([status, leftBehind()]).toEqual([1, []]);
  });

  test("a compiler that is not installed: the package that has it is named", () => {
    const { status, stderr } = fetch("6.1.0-98-cloud-amd64");
    expect(stderr).toContain(`WRONG_COMPILER: the kernel was built with another compiler: ${COMPILER}`);
    expect(stderr).toContain("apt-get install gcc-12=12.2.0-0never");
    expect([status, leftBehind()]).toEqual([1, []]);
  });

  test("an image package without an image", () => {
    const { status, stderr } = fetch("6.1.0-99-cloud-amd64");
    expect(stderr).toContain("PACKAGE_UNUSABLE: the package does not hold boot/vmlinuz-6.1.0-99-cloud-amd64");
    expect([status, leftBehind()]).toEqual([1, []]);
  });

  test("an archive that cannot be reached", () => {
    const nowhere = join(root, "nowhere");
    mkdirSync(nowhere);
    const { status, stderr } = fetch("6.1.0-99-cloud-amd64", writeConfig(nowhere, join(nowhere, "none")));
    expect(stderr).toContain("ARCHIVE_UNREACHABLE");
    expect([status, leftBehind()]).toEqual([1, []]);
  });

  test.each(["../x", "x/../../y", "-x", ""])("%j is no release", (release) => {
    const { status, stderr } = fetch(release);
    expect(stderr).toMatch(/BAD_KERNEL_RELEASE|USAGE/);
    expect([status, leftBehind()]).toEqual([1, []]);
  });

  test("a full disk", () => {
    mkdirSync(cache);
    const script =
      'mount -t tmpfs -o size=64m,mode=755 none "$SUTURE_CACHE" && { "$0" "$@"; echo "exit $?"; ls "$SUTURE_CACHE/kernels"; }';
    const args = ["-rm", "sh", "-c", script, bin, "kernel", "fetch", "6.1.0-94-cloud-amd64"];
    const { stdout, stderr } = spawnSync("unshare", args, { encoding: "utf8", env: environment(config) });
    expect(stderr).toContain("DISK_FULL");
    expect(stdout).toBe("exit 1\n");
  });

  test.each(["SIGINT", "SIGTERM"] as const)("%s while the source is unpacked", async (signal) => {
    const child = spawn(bin, ["kernel", "fetch", "6.1.0-94-cloud-amd64"], { env: environment(config) });
    const exited = once(child, "exit");
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (!said.includes("unpacking the source") && (said + text).includes("unpacking the source")) child.kill(signal);
      said += text;
    });
    expect(await exited).toEqual([null, signal]);
    expect(said).toContain("INTERRUPTED");
    expect(leftBehind()).toEqual([]);
    expect(readdirSync(root).filter((name) => name.startsWith("suture-"))).toEqual([]);
  });
});
