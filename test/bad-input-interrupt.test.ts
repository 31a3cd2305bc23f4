/** Ctrl-C in every stage, and two at once: nothing half done is left, and what others do is not disturbed. */
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { cacheDirectory } from "../src/lib/cache.ts";
import type { Kernel } from "../src/provider/kernel/kernel.ts";
import { newestKernel } from "./fixtures/newest-kernel.ts";
import { Places } from "./fixtures/places.ts";
import { type Edit, sourceDiff } from "./kernel/source-diffs.ts";
import { isLong } from "./long.ts";

const SAYS = "	seq_printf(m, linux_proc_banner,";
const LIVEPATCH = "livepatch-a.ko";
/** Milliseconds between the moments at which a build is interrupted. */
const STEP = isLong ? 50 : 300;
/** The function that is patched, and a header that a handful of units get. */
const FUNCTION: Edit = ["fs/proc/version.c", SAYS, `	seq_puts(m, "patched ");\n${SAYS}`];
const HEADER: Edit = ["fs/proc/fd.h", "#include <linux/fs.h>\n", "#include <linux/fs.h>\nextern int suture_test;\n"];
let kernel: Kernel;

beforeAll(async () => {
  kernel = await newestKernel("6.1");
});

describe("build", () => {
  /** By what is shown of each. */
  const STAGES = ["finding out which files include which", "preprocess ", "compile ", "prove and compare", "link"];
  let places: Places;
  let args: readonly string[];

  beforeEach(() => {
    places = new Places({ kernel });
    writeFileSync(join(places.cwd, "a.patch"), sourceDiff(kernel, [FUNCTION, HEADER]), "latin1");
    args = ["build", "--kernel", kernel.release, "a.patch"];
  });
  afterEach(() => places[Symbol.dispose]());

  test("one Ctrl-C in each stage, in turn, and then it is built as if nothing had been", async () => {
    for (const stage of STAGES) {
      const { status, stderr, sent } = await places.interrupt(args, (said) => said.includes(stage));
      expect({ stage, sent }).toEqual({ stage, sent: true });
      const last = stderr.trimEnd().split("\n").at(-1);
      // What the last stages still have to do takes less time than a signal: then it is done, and whole.
      const isDone = readdirSync(places.cwd).includes(LIVEPATCH);
      if (isDone) expect([stage, STAGES.slice(-2).includes(stage)]).toEqual([stage, true]);
      else expect([stage, last]).toEqual([stage, "INTERRUPTED: stopped by SIGINT; nothing was left behind"]);
      expect([stage, isDone ? status : null]).toEqual([stage, status]);
      expect({ stage, left: await places.leftBehind(isDone ? ["a.patch", LIVEPATCH] : ["a.patch"]) }).toEqual({
        stage,
        left: [],
      });
      rmSync(join(places.cwd, LIVEPATCH), { force: true });
    }
    expect(places.run(args)).toMatchObject({ status: 0 });
    expect(places.run(["explain", LIVEPATCH]).stdout).toContain("version_proc_show");
    expect(await places.leftBehind(["a.patch", LIVEPATCH])).toEqual([]);
  });

  test.each([1, 2])("at any time, %d at once", async (count) => {
    writeFileSync(join(places.cwd, "a.patch"), sourceDiff(kernel, [FUNCTION]), "latin1");
    for (let milliseconds = 100; milliseconds <= 1300; milliseconds += STEP) {
      const began = performance.now();
      const { status } = await places.interrupt(args, () => performance.now() - began >= milliseconds, count);
      // Done before it came, or ended by it.
      expect([0, null]).toContain(status);
      expect(await places.leftBehind(["a.patch", LIVEPATCH])).toEqual([]);
    }
  });

  test("two builds of one diff to one file, one cache: both are done, with the same bytes", async () => {
    const builds = await Promise.all([places.start(args), places.start(args)]);
    expect(builds.map(({ status }) => status)).toEqual([0, 0]);
    const both = readFileSync(join(places.cwd, LIVEPATCH));
    expect(places.run(args)).toMatchObject({ status: 0 });
    expect(readFileSync(join(places.cwd, LIVEPATCH)).equals(both)).toBe(true);
    expect(await places.leftBehind(["a.patch", LIVEPATCH])).toEqual([]);
  });

  test("two builds of different diffs to the same functions do not see each other", async () => {
    const edits = ["one", "other"].map(
      (word): Edit => ["fs/proc/version.c", SAYS, `	seq_puts(m, "${word} ");\n${SAYS}`],
    );
    const names = ["one", "other"];
    for (const [i, edit] of edits.entries())
      writeFileSync(join(places.cwd, `${names[i]}.patch`), sourceDiff(kernel, [edit]), "latin1");
    const started = names.map((name) => places.start(["build", "--kernel", kernel.release, `${name}.patch`]));
    expect((await Promise.all(started)).map(({ status }) => status)).toEqual([0, 0]);
    const texts = names.map((name) => readFileSync(join(places.cwd, `livepatch-${name}.ko`), "latin1"));
    expect(texts.map((text) => [text.includes("one \0"), text.includes("other \0")])).toEqual([
      [true, false],
      [false, true],
    ]);
  });
});

describe("kernel fetch", () => {
  test("a Ctrl-C in each stage leaves no kernel and no half of a download", async () => {
    using places = new Places();
    const args = ["kernel", "fetch", kernel.release];
    const interrupted = async (stage: string): Promise<void> => {
      const { status, stderr, sent } = await places.interrupt(args, (said) => said.includes(stage));
      expect({ stage, sent, status, stderr }).toMatchObject({ stage, sent: true, status: null });
      expect(stderr).toContain("INTERRUPTED");
      expect({ stage, left: await places.leftBehind() }).toEqual({ stage, left: [] });
      expect(readdirSync(join(places.cache, "kernels"))).toEqual([]);
    };
    await interrupted("downloading ");
    const packages = join(places.cache, "packages");
    mkdirSync(packages, { recursive: true });
    const known = readdirSync(packages);
    // The rest of the downloads are those that the kernel was made from.
    for (const name of readdirSync(join(cacheDirectory(), "packages"))) {
      if (!known.includes(name)) linkSync(join(cacheDirectory(), "packages", name), join(packages, name));
    }
    for (const stage of ["unpacking the headers", "unpacking the source", "reading how "]) await interrupted(stage);
  });
});
