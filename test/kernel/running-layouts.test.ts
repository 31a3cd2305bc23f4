/** Source, configuration and image of a kernel that do not belong together, and new code with types that the running kernel has otherwise. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cache } from "../../src/lib/cache.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import type { Kernel, KernelRecord } from "../../src/provider/kernel/kernel.ts";
import { findCompiler } from "../../src/provider/toolchain/compiler.ts";
import { layOutView } from "../../src/source/tree.ts";
import { buildKernelLivepatch } from "../../src/subject/kernel/build.ts";
import { openKernel } from "../../src/subject/kernel/open-kernel.ts";
import { proveKernel } from "../../src/subject/kernel/prove-kernel.ts";
import { newestKernel } from "../fixtures/newest-kernel.ts";
import { type Edit, sourceDiff } from "./source-diffs.ts";

const MINUTES = 60_000;

describe("types of the source that are not those of the image", { timeout: 60 * MINUTES }, () => {
  let stock: Kernel;
  let directory: TemporaryDirectory;

  beforeAll(async () => {
    stock = await newestKernel("6.1");
    directory = await temporaryDirectory();
  }, 30 * MINUTES);
  afterAll(async () => await directory?.[Symbol.asyncDispose]());

  /** The stock kernel with another text in its source, ready in a cache of its own. */
  async function altered(name: string, [path, from, to]: Edit): Promise<{ kernel: Kernel; cache: Cache }> {
    const text = readFileSync(join(stock.source, path), "latin1");
    expect(text).toContain(from);
    const source = join(directory.path, name);
    mkdirSync(source);
    layOutView(stock.source, source, [{ path, text: text.replace(from, () => to) }]);
    const record = JSON.parse(readFileSync(join(stock.directory, "kernel.json"), "utf8")) as KernelRecord;
    const paths = Object.entries(record.paths).map(([part, at]) => [part, join(stock.directory, at ?? "")]);
    const cache = new Cache(join(directory.path, `${name}-cache`));
    const ready = join(cache.kind("kernels"), stock.release);
    mkdirSync(ready, { recursive: true });
    const changed = { ...record, identity: name, paths: { ...Object.fromEntries(paths), source } };
    writeFileSync(join(ready, "kernel.json"), JSON.stringify(changed));
    const choice = { kind: "release", release: stock.release } as const;
    return { kernel: await openKernel(choice, { cache, progress: silentProgress }), cache };
  }

  /** What is refused of a diff. */
  async function refused(cache: Cache, edits: readonly Edit[]): Promise<string[]> {
    const result = await buildKernelLivepatch({
      kernel: { kind: "release", release: stock.release },
      diffs: [{ name: "a.patch", data: Buffer.from(sourceDiff(stock, edits), "latin1") }],
      strip: undefined,
      output: join(directory.path, "out.ko"),
      name: "layouts",
      replace: false,
      jobs: 2,
      cache,
      progress: silentProgress,
      signal: undefined,
    });
    return result.kind === "refused" ? result.refusals.map(({ code, what }) => `${code}: ${what}`) : [result.kind];
  }

  async function prove(kernel: Kernel, cache: Cache): Promise<void> {
    await proveKernel(kernel, await findCompiler(kernel, cache), cache, undefined);
  }

  const PRINT = "\tseq_printf(m, linux_proc_banner,";
  const VERSION = "fs/proc/version.c";

  test("the stock kernel is proved to be one", async () => {
    await prove(stock, new Cache());
  });

  test("a struct of the kernel has one member more: it is not ready, and a build for it is refused", async () => {
    const member = "\tunsigned int\t\t\t__state;\n";
    const { kernel, cache } = await altered("member", ["include/linux/sched.h", member, `${member}\tlong extra;\n`]);
    await expect(prove(kernel, cache)).rejects.toMatchObject({
      code: "SOURCE_OF_ANOTHER_KERNEL",
      where: expect.stringMatching(/^kernel\/fork.c: struct task_struct: .*extra is in the source alone/),
    });
    expect(await refused(cache, [[VERSION, PRINT, `\tseq_printf(m, "%s ", current->comm);\n${PRINT}`]])).toEqual([
      expect.stringMatching(
        /^RUNNING_LAYOUT_DIFFERS: the kernel that runs has other types than the source: struct task_struct \(/,
      ),
    ]);
  });

  test("the compiler was told otherwise: it is not ready, since its code is not the image's", async () => {
    const first = "#include <linux/anon_inodes.h>\n";
    const { kernel, cache } = await altered("code", [
      "kernel/fork.c",
      first,
      `${first}#pragma GCC optimize("no-reorder-blocks", "no-tree-vrp", "no-if-conversion")\n`,
    ]);
    await expect(prove(kernel, cache)).rejects.toMatchObject({
      code: "SOURCE_OF_ANOTHER_KERNEL",
      where: expect.stringMatching(/^kernel\/fork.c: of \d+ functions \d+ are not the image's: /),
    });
  });

  test("a struct of a module alone has one member more", async () => {
    const begin = "struct wg_peer {\n";
    const { cache } = await altered("module", ["drivers/net/wireguard/peer.h", begin, `${begin}\tlong extra;\n`]);
    const mtu = "\tdev->mtu = ETH_DATA_LEN";
    expect(await refused(cache, [["drivers/net/wireguard/device.c", mtu, `\tdev->group = 1;\n${mtu}`]])).toContainEqual(
      expect.stringMatching(
        /^RUNNING_LAYOUT_DIFFERS: the module wireguard that runs .*struct wg_peer \(.*extra is in the source alone/,
      ),
    );
  });

  test("a diff declares a type of another file by itself, and otherwise than that file", async () => {
    const head = "static int version_proc_show";
    const declaring = (member: string): Edit => [
      VERSION,
      head,
      `struct eventpoll { struct mutex mtx; ${member}; };\nextern struct eventpoll *lp_any;\n${head}`,
    ];
    const using: Edit = [
      VERSION,
      PRINT,
      `\tif (m->private)\n\t\t((struct eventpoll *)m->private)->last = 0;\n${PRINT}`,
    ];
    expect(await refused(new Cache(), [declaring("long last"), using])).toEqual([
      expect.stringMatching(/^RUNNING_LAYOUT_DIFFERS: .*struct eventpoll \(\d+ bytes there, 40 in the source/),
    ]);
  });

  test("a type that an unchanged header has, and that the original did not use, is the running one", async () => {
    const include = "#include <linux/utsname.h>\n";
    const using: Edit = [
      VERSION,
      PRINT,
      `\tseq_printf(m, "%d ", !!current->nsproxy->uts_ns->user_ns->parent);\n${PRINT}`,
    ];
    const with_: Edit = [VERSION, include, `${include}#include <linux/nsproxy.h>\n#include <linux/user_namespace.h>\n`];
    expect(await refused(new Cache(), [with_, using])).toEqual(["built"]);
  });
});
