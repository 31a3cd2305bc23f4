/** A disk that is full, wherever something is written: DISK_FULL, exit code 1, nothing left behind. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Kernel } from "../src/provider/kernel/kernel.ts";
import { newestKernel } from "./fixtures/newest-kernel.ts";
import { Places, type Said } from "./fixtures/places.ts";
import { sourceDiff } from "./kernel/source-diffs.ts";

const SAYS = "	seq_printf(m, linux_proc_banner,";
const LIVEPATCH = "livepatch-a.ko";
let kernel: Kernel;
let places: Places;

beforeAll(async () => {
  kernel = await newestKernel("6.1");
});
beforeEach(() => {
  places = new Places({ kernel });
  const diff = sourceDiff(kernel, [["fs/proc/version.c", SAYS, `	seq_puts(m, "patched ");\n${SAYS}`]]);
  writeFileSync(join(places.cwd, "a.patch"), diff, "latin1");
});
afterEach(() => places[Symbol.dispose]());

/** The command in a mount namespace in which `directory` is a file system of so many KiB; then a line with what is there. */
function withSmall(directory: string, kilobytes: number, args: readonly string[]): Said & { readonly there: string } {
  const script = `
mount -t tmpfs -o size=${kilobytes}k none "$0" || exit 99
"$@"
status=$?
echo "there: $(cd "$0" && find . -type f ! -path './node/*' | sort | tr '\\n' ' ')"
exit $status`;
  // Where shared memory itself is to be small, that is the one.
  const bin = directory === "/dev/shm" ? places.plainBin : places.bin;
  const { status, stdout, stderr } = spawnSync("unshare", ["-rm", "sh", "-c", script, directory, bin, ...args], {
    encoding: "utf8",
    cwd: places.cwd,
    env: places.env,
  });
  return { status, stdout, stderr, there: /^there: (.*)$/m.exec(stdout)?.[1]?.trim() ?? "" };
}

const build = (...more: readonly string[]): string[] => ["build", "--kernel", kernel.release, ...more, "a.patch"];

describe("build", () => {
  test.each([4, 64, 256])("where the compilers write, at %d KiB", async (kilobytes) => {
    const { status, stderr, there } = withSmall(places.tmp, kilobytes, build());
    expect(stderr).toContain("DISK_FULL: ");
    expect(stderr).toContain("TMPDIR");
    expect([status, there]).toEqual([1, ""]);
    expect(await places.leftBehind(["a.patch"])).toEqual([]);
  });

  test("where originals are kept", async () => {
    // Node's own cache would take the room.
    const env = { NODE_COMPILE_CACHE: join(places.tmp, "node") };
    const originals = join(places.cache, "originals");
    mkdirSync(originals);
    Object.assign(places.env, env);
    const { status, stderr, there } = withSmall(originals, 16, build());
    expect(stderr).toContain("DISK_FULL: ");
    expect(stderr).toContain("SUTURE_CACHE");
    expect([status, there]).toEqual([1, ""]);
    expect(await places.leftBehind(["a.patch"]).then((left) => left.filter((name) => name !== "node"))).toEqual([]);
  });

  test("where the livepatch goes", async () => {
    const out = join(places.cwd, "out");
    mkdirSync(out);
    const { status, stderr, there } = withSmall(out, 4, build("--output", `out/${LIVEPATCH}`));
    expect(stderr).toContain("DISK_FULL: ");
    expect([status, there]).toEqual([1, ""]);
    expect(await places.leftBehind(["a.patch", "out"])).toEqual([]);
  });

  test("a small memory file system is no hindrance", () => {
    const { status } = withSmall("/dev/shm", 64, build());
    expect(status).toBe(0);
    expect(existsSync(join(places.cwd, LIVEPATCH))).toBe(true);
  });
});

describe("rehearse", () => {
  beforeEach(() => {
    expect(places.run(build())).toMatchObject({ status: 0 });
  });

  test("where the guest's files are put together", async () => {
    const { status, stderr, there } = withSmall(places.tmp, 64, ["rehearse", LIVEPATCH]);
    expect(stderr).toContain("DISK_FULL: ");
    expect([status, there]).toEqual([1, ""]);
    expect(await places.leftBehind(["a.patch", LIVEPATCH])).toEqual([]);
  });

  test("where the log goes", async () => {
    const logs = join(places.cwd, "logs");
    mkdirSync(logs);
    const { status, stderr, there } = withSmall(logs, 4, ["rehearse", "--log", "logs/a.log", LIVEPATCH]);
    expect(stderr).toContain("DISK_FULL: ");
    expect([status, there]).toEqual([1, ""]);
    expect(readdirSync(logs)).toEqual([]);
    expect(await places.leftBehind(["a.patch", "logs", LIVEPATCH])).toEqual([]);
  });
});
