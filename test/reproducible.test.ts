/** The same diff gives the same bytes, wherever the checkout, its cache and its temporary files lie. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Kernel } from "../src/provider/kernel/kernel.ts";
import { newestKernel } from "./fixtures/newest-kernel.ts";
import { Places } from "./fixtures/places.ts";
import { type Edit, sourceDiff } from "./kernel/source-diffs.ts";

const ROOT = resolve(import.meta.dirname, "..");
const VERSION = "fs/proc/version.c";
const SAYS = "	seq_printf(m, linux_proc_banner,";
/** New data, strings, lines that move, a function of a header of ours, a warning with its file and line, a callback. */
const EDITS: readonly Edit[] = [
  [VERSION, '#include "internal.h"\n', '#include "internal.h"\n#include <suture/livepatch.h>\n'],
  [
    VERSION,
    SAYS,
    "	static int reads;\n	WARN_ON_ONCE(reads < 0);\n" +
      `	seq_printf(m, "%s %d %p ", __FILE__, ++reads, task_reads_get_or_alloc(current, GFP_KERNEL));\n${SAYS}`,
  ],
  [
    VERSION,
    "static int version_proc_show",
    "SUTURE_SHADOW(task_reads, 0x73757475, u64);\nstatic int version_proc_show",
  ],
  [
    VERSION,
    "",
    "static void begun(struct klp_object *object) { WARN_ON(suture_patch_of(object) == NULL); }\nSUTURE_POST_PATCH(begun);",
  ],
  ["drivers/net/dummy.c", "	dev->max_mtu = 0;\n}", "	dev->max_mtu = 0;\n	dev->mtu = 1234;\n}"],
];
let root = "";
let kernel: Kernel;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "suture-reproducible-test-"));
  kernel = await newestKernel("6.1");
});
afterAll(() => rmSync(root, { recursive: true }));

/** What a clone of the checkout has, as it is now; the installed packages are the same ones. */
function copyOfCheckout(name: string): string {
  const to = join(root, name);
  const tracked = spawnSync("git", ["ls-files", "-z"], { cwd: ROOT, encoding: "utf8" }).stdout.split("\0");
  for (const path of tracked.filter((each) => /^(bin|src|include|package\.json)/.test(each))) {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    cpSync(join(ROOT, path), join(to, path));
  }
  symlinkSync(join(ROOT, "node_modules"), join(to, "node_modules"));
  return to;
}

/** The sha256 of the livepatch of `diff`, built by one copy. */
function digestBy(copy: string, diff: string): string {
  using places = new Places({ kernel, bin: join(copyOfCheckout(copy), "bin/suture") });
  writeFileSync(join(places.cwd, "fix.patch"), diff, "latin1");
  const { status, stderr } = places.run(["build", "--kernel", kernel.release, "fix.patch"]);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  const livepatch = readFileSync(join(places.cwd, "livepatch-fix.ko"));
  for (const path of [root, places.cwd, places.tmp, places.cache, ROOT]) expect(livepatch.includes(path)).toBe(false);
  return createHash("sha256").update(livepatch).digest("hex");
}

test("two clones in different directories make the same livepatch", () => {
  const diff = sourceDiff(kernel, EDITS);
  expect(digestBy("one", diff)).toBe(digestBy("another/and/longer", diff));
});
