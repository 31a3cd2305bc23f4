/** Files that are none: devices, pipes without an end, outputs that are inputs, a full device to write to. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Kernel } from "../src/provider/kernel/kernel.ts";
import { newestKernel } from "./fixtures/newest-kernel.ts";
import { Places } from "./fixtures/places.ts";
import { sourceDiff } from "./kernel/source-diffs.ts";

const SAYS = "	seq_printf(m, linux_proc_banner,";
let kernel: Kernel;
let diff: string;
let places: Places;

beforeAll(async () => {
  kernel = await newestKernel("6.1");
  diff = sourceDiff(kernel, [["fs/proc/version.c", SAYS, `	seq_puts(m, "patched ");\n${SAYS}`]]);
});
beforeEach(() => {
  places = new Places({ kernel });
  writeFileSync(join(places.cwd, "a.patch"), diff, "latin1");
  spawnSync("mkfifo", [join(places.cwd, "pipe")]);
});
afterEach(() => places[Symbol.dispose]());

const KNOWN = ["a.patch", "pipe"];
const build = (...more: string[]): string[] => ["build", "--kernel", kernel.release, ...more];

describe("an input that is no file", () => {
  test.each([
    [["explain", "/dev/zero"], "it is a device"],
    [["explain", "."], "it is a directory"],
    [["rehearse", "/dev/zero"], "it is a device"],
    [["object-diff", "/dev/zero", "/dev/zero"], "it is a device"],
    [["load", "/dev/zero", "--all"], "it is a device"],
    [["build", "--kernel", "running", "/dev/zero"], "it is a device"],
    [["build", "--compile-commands", "/dev/zero", "--exe", "/bin/true", "a.patch"], "it is a device"],
    [["build", "--compile-commands", "none.json", "--exe", "/bin/true", "a.patch"], "there is no such file"],
  ])("%j", async (args, why) => {
    const { status, stderr, stdout } = places.run(args);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^[A-Z_]+: /);
    expect(stderr).toContain(why);
    expect(await places.leftBehind(KNOWN)).toEqual([]);
  });

  test("a pipe without an end is too large", async () => {
    const { status, stderr } = spawnSync("sh", ["-c", 'yes | "$@" -', "sh", places.bin, ...build()], {
      encoding: "utf8",
      cwd: places.cwd,
      env: places.env,
    });
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^FILE_TOO_LARGE: /)]);
  });

  test("a pipe that nobody writes to is waited for, until a signal ends that", async () => {
    const child = spawn(places.bin, ["explain", "pipe"], { cwd: places.cwd, env: places.env });
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    const ended = once(child, "close");
    const writer = await writerOf(join(places.cwd, "pipe"));
    child.kill("SIGINT");
    expect(await ended).toEqual([null, "SIGINT"]);
    closeSync(writer);
    expect(said).toContain("INTERRUPTED");
  });

  test("a pipe that somebody writes a diff to is a diff", () => {
    const script = 'cat a.patch > pipe & "$@" pipe --output one.ko && cat a.patch | "$@" - --output other.ko';
    const { status } = spawnSync("sh", ["-c", script, "sh", places.bin, ...build("--name", "fix")], {
      cwd: places.cwd,
      env: places.env,
    });
    expect(status).toBe(0);
    const [one, other] = ["one.ko", "other.ko"].map((name) => readFileSync(join(places.cwd, name)));
    expect(one?.equals(other as Buffer)).toBe(true);
  });
});

describe("an output", () => {
  test("a device stays one", () => {
    const device = join(places.cwd, "null");
    spawnSync("mknod", [device, "c", "1", "3"]);
    for (const output of [device, "pipe", "."]) {
      const { status, stderr } = places.run(build("--output", output, "a.patch"));
      expect([status, stderr]).toEqual([1, expect.stringMatching(/^OUTPUT_NOT_WRITABLE: /)]);
    }
    expect(statSync(device).isCharacterDevice()).toBe(true);
    rmSync(device);
  });

  test("one of the inputs is not overwritten, by whatever name", () => {
    symlinkSync("a.patch", join(places.cwd, "link"));
    for (const output of ["a.patch", "./a.patch", "link"]) {
      const { status, stderr } = places.run(build("--output", output, "a.patch"));
      expect([status, stderr]).toEqual([1, expect.stringMatching(/^OUTPUT_IS_INPUT: /)]);
    }
    expect(readFileSync(join(places.cwd, "a.patch"), "latin1")).toBe(diff);
  });

  test("a link is followed", () => {
    mkdirSync(join(places.cwd, "out"));
    writeFileSync(join(places.cwd, "out/fix.ko"), "");
    symlinkSync("out/fix.ko", join(places.cwd, "fix.ko"));
    expect(places.run(build("--output", "fix.ko", "a.patch")).status).toBe(0);
    expect(statSync(join(places.cwd, "out/fix.ko")).size).toBeGreaterThan(0);
    expect(existsSync(join(places.cwd, "fix.ko"))).toBe(true);
  });

  test.each([["kernel", "list"], ["list"], ["list", "--json"], ["completion", "bash"]])(
    "%s %s: a full device is one line, a reader that has gone none",
    (...args) => {
      const run = (to: string) =>
        spawnSync("bash", ["-c", `set -o pipefail; "$@" ${to}`, "bash", places.bin, ...args], {
          encoding: "utf8",
          env: places.env,
        });
      const full = run("> /dev/full");
      expect(full.status).toBe(1);
      expect(full.stderr).toMatch(/^OUTPUT_NOT_WRITABLE: .*\n$/);
      expect(run("| true")).toMatchObject({ status: 0, stderr: "" });
    },
  );
});

/** Opens a pipe for writing when somebody waits at its other end. */
async function writerOf(pipe: string): Promise<number> {
  for (;;) {
    try {
      return openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENXIO") throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
