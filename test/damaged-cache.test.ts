/** Files of the cache that are cut, empty or of other bytes: made again, or named; what is built is right. */
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Kernel } from "../src/provider/kernel/kernel.ts";
import { DAMAGES, type DamageKind, damage, ownKernel } from "./fixtures/damaged-cache.ts";
import { newestKernel } from "./fixtures/newest-kernel.ts";
import { Places } from "./fixtures/places.ts";
import { sourceDiff } from "./kernel/source-diffs.ts";

const SAYS = "	seq_printf(m, linux_proc_banner,";
const HEADER = "#include <linux/fs.h>\n";
const LIVEPATCH = "livepatch-a.ko";
let kernel: Kernel;
let places: Places;
let directory: string;
let whole: Buffer;
let build: readonly string[];

beforeAll(async () => {
  kernel = await newestKernel("6.1");
  places = new Places({ kernel });
  directory = ownKernel(places, kernel);
  const diff = sourceDiff(kernel, [
    ["fs/proc/version.c", SAYS, `	seq_puts(m, "patched ");\n${SAYS}`],
    ["fs/proc/fd.h", HEADER, `${HEADER}extern int suture_test;\n`],
  ]);
  writeFileSync(join(places.cwd, "a.patch"), diff, "latin1");
  build = ["build", "--kernel", kernel.release, "a.patch"];
  expect(places.run(build)).toMatchObject({ status: 0 });
  whole = readFileSync(join(places.cwd, LIVEPATCH));
});
afterAll(() => places[Symbol.dispose]());

const kinds = Object.keys(DAMAGES) as DamageKind[];

describe("a file of a kernel that was made ready", () => {
  test.each([
    "vmlinux",
    "symbols.table",
    "layouts.json",
    "units/fs/proc/units.json",
    "units/sources.json",
    "source/Module.symvers",
    "source/.config",
    "source/fs/proc/version.c",
    "source/include/linux/seq_file.h",
    "source/include/generated/autoconf.h",
    "seal/units",
    "seal/.beside",
  ])("%s", (name) => {
    for (const kind of kinds) {
      rmSync(join(places.cwd, LIVEPATCH), { force: true });
      const repair = damage(join(directory, name), kind);
      const { status, stdout, stderr } = places.run(build);
      repair();
      if (status === 0) expect([kind, readFileSync(join(places.cwd, LIVEPATCH)).equals(whole)]).toEqual([kind, true]);
      else expect([kind, status, stdout, stderr]).toEqual([kind, 1, "", expect.stringMatching(/^CACHE_DAMAGED: /m)]);
      expect([kind, status === 0 || stderr.includes(join(directory, name))]).toEqual([kind, true]);
    }
  });
});

test("what was compiled and read before is made again", () => {
  const kept = ["originals", "preprocessed", "includes", "compilers"].flatMap((kind) =>
    globSync(`${kind}/**/*`, { cwd: places.cache, withFileTypes: true }).filter((entry) => entry.isFile()),
  );
  const paths = kept.map((entry) => join(entry.parentPath, entry.name));
  expect(paths.length).toBeGreaterThan(5);
  for (const kind of kinds) {
    for (const path of paths) writeFileSync(path, DAMAGES[kind](readFileSync(path)));
    rmSync(join(places.cwd, LIVEPATCH), { force: true });
    expect([kind, places.run(build)]).toEqual([kind, expect.objectContaining({ status: 0 })]);
    expect([kind, readFileSync(join(places.cwd, LIVEPATCH)).equals(whole)]).toEqual([kind, true]);
  }
});

test("kernels that are not whole hinder neither list nor remove", () => {
  const other = "6.1.0-1-cloud-amd64";
  const record = readFileSync(join(directory, "kernel.json"));
  for (const kind of kinds) {
    const at = join(places.cache, "kernels", other);
    rmSync(at, { recursive: true, force: true });
    places.makeDirectory(at);
    writeFileSync(join(at, "kernel.json"), DAMAGES[kind](record));
    const listed = places.run(["kernel", "list"]);
    expect([kind, listed.status, listed.stderr]).toEqual([kind, 0, ""]);
    expect(listed.stdout).toContain(kernel.release);
    expect(places.run(["kernel", "remove", other])).toMatchObject({ status: 0 });
    expect(places.run(["kernel", "remove", other])).toMatchObject({ status: 1 });
  }
});

describe("a directory for the cache", () => {
  test("a relative one is one", () => {
    expect(places.run(["kernel", "list"], { SUTURE_CACHE: "here" })).toMatchObject({ status: 0, stderr: "" });
  });

  test.each([
    ["a file", "a.patch"],
    ["below a file", "a.patch/cache"],
    ["a loop", "/proc/self/fd/none/../cache"],
  ])("%s is one clear error", (_, cache) => {
    for (const args of [["kernel", "list"], build]) {
      const { status, stderr } = places.run(args, { SUTURE_CACHE: cache });
      if (status === 0) continue;
      expect([args[0], status]).toEqual([args[0], 1]);
      expect(stderr).toMatch(/^[A-Z_]+: /m);
      expect(stderr).not.toContain("INTERNAL");
    }
  });
});
