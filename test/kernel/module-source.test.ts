/** A module that is not of the kernel's tree: built from the kernel's headers, patched by its own source, rehearsed. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTwoFilesPatch } from "diff";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { auditKernelLivepatch } from "../../src/audit/audit.ts";
import { readElf } from "../../src/elf/read.ts";
import { Cache } from "../../src/lib/cache.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { readGivenFile } from "../../src/lib/read-file.ts";
import { run } from "../../src/lib/run.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../src/lib/temp.ts";
import { rehearse } from "../../src/rehearse/rehearse.ts";
import { formatRehearsal } from "../../src/rehearse/report.ts";
import { buildKernelLivepatch, type KernelBuildResult } from "../../src/subject/kernel/build.ts";
import { openKernel } from "../../src/subject/kernel/open-kernel.ts";
import { pairDiff, writePair } from "../fixtures/pair-module.ts";
import { type StockKernel, stockKernel } from "./stock-kernel.ts";

const cache = new Cache();
const options = { cache, progress: silentProgress, signal: undefined, jobs: 2 };

describe("a module of a source of its own", () => {
  let temporary: TemporaryDirectory;
  let stock: StockKernel;

  beforeAll(async () => {
    stock = await stockKernel("6.1");
    temporary = await temporaryDirectory();
    writePair(source());
    await run("make", ["-C", stock.headers, `M=${source()}`, "modules"], { check: true });
  });

  afterAll(async () => await temporary?.[Symbol.asyncDispose]());

  const source = () => join(temporary.path, "pair");
  const choice = () =>
    ({
      kind: "module-source",
      directory: source(),
      kernel: { kind: "release", release: stock.release },
    }) as const;

  async function built(diffs: ReturnType<typeof pairDiff>): Promise<KernelBuildResult> {
    const rest = { strip: undefined, name: "livepatch_pair", patchVersion: undefined, replace: true };
    const output = join(temporary.path, "livepatch-pair.ko");
    return await buildKernelLivepatch({ ...options, ...rest, kernel: choice(), diffs, output });
  }

  const codesOf = (result: KernelBuildResult) =>
    result.kind === "refused" ? result.refusals.map(({ code }) => code) : [];

  test("is proved, patched, audited and rehearsed with what its new code shows", async () => {
    const diffs = pairDiff(
      ["include/pair.h", "pair->left + pair->right", "pair->left + pair->right + 100"],
      ["sub/pair_more.c", "calls++ == 0", "calls++ < 5"],
    );
    const result = await built(diffs);
    if (result.kind !== "built") throw new Error(JSON.stringify(result));
    expect(result.metadata.objects.map(({ name, funcs }) => [name, funcs.map((func) => func.name)])).toEqual([
      ["suture_pair", ["pair_show", "pair_scaled"]],
    ]);
    expect(result.metadata.proofs.flatMap(({ differing }) => differing)).toEqual([]);

    const livepatch = readElf(await readGivenFile(result.path), result.path);
    const { metadata } = result;
    const audit = await auditKernelLivepatch({
      ...options,
      livepatch,
      metadata,
      diffs,
      strip: undefined,
      kernel: choice(),
    });
    expect(audit.findings).toEqual([]);
    expect(audit.units).toEqual(["pair_main.c", "sub/pair_more.c"]);

    const after = join(temporary.path, "after.sh");
    writeFileSync(after, 'cat /proc/suture_pair; grep -qx "the pair 131" /proc/suture_pair');
    const kernel = await openKernel(choice(), options);
    const rehearsal = await rehearse({
      kernel: { arch: kernel.arch, release: kernel.release, image: kernel.vmlinuz ?? "", modules: kernel.modules },
      ...{ livepatch: result.path, after, layouts: kernel.layouts, log: join(temporary.path, "log") },
    });
    expect(rehearsal.kind === "rehearsed" && rehearsal.ok, formatRehearsal(rehearsal as never).join("\n")).toBe(true);
  });

  test("is refused what would find memory of another layout, data in use and options of its build", async () => {
    const layout = pairDiff(
      ["include/pair.h", "int left, right;", "int left, middle, right;"],
      ["sub/pair_more.c", "pair->right", "pair->right + pair->middle"],
    );
    expect(codesOf(await built(layout))).toContain("DATA_LAYOUT_CHANGED");
    expect(codesOf(await built(pairDiff(["pair_main.c", "by = 2", "by = 3"])))).toEqual(["DATA_CHANGED"]);
    expect(codesOf(await built(pairDiff(["Makefile", "the pair", "the other pair"])))).toEqual(["MAKEFILE_CHANGED"]);
  });

  test("is not proved where its source has changed since it was built", async () => {
    const path = "sub/pair_more.c";
    const was = readFileSync(join(source(), path), "utf8");
    const is = was.replace("return by *", "return by +");
    writeFileSync(join(source(), path), is);
    const patch = createTwoFilesPatch(`a/${path}`, `b/${path}`, is, is.replace("calls++ == 0", "calls++ < 5"));
    const result = await built([{ name: "pair.patch", data: Buffer.from(patch) }]);
    writeFileSync(join(source(), path), was);
    expect(codesOf(result)).toContain("FUNCTION_NOT_PROVED");
  });

  test("is told to be built where make has left no records, or no module", async () => {
    const hint = expect.stringContaining(`M=${source()} modules`);
    rmSync(join(source(), "suture_pair.ko"));
    await expect(openKernel(choice(), options)).rejects.toMatchObject({ code: "MODULE_NOT_BUILT", hint });
    await run("make", ["-C", stock.headers, `M=${source()}`, "clean"], { check: true });
    await expect(openKernel(choice(), options)).rejects.toMatchObject({ code: "MODULE_NOT_BUILT", where: source() });
  });
});
