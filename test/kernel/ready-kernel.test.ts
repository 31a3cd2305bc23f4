/** A stock kernel made ready: what is known of its units, and that they compile. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, normalize } from "node:path";
import { createTwoFilesPatch } from "diff";
import { beforeAll, describe, expect, test } from "vitest";
import { Cache } from "../../src/lib/cache.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { refusal } from "../../src/patch/refusal.ts";
import type { Kernel } from "../../src/provider/kernel/kernel.ts";
import { listKernels } from "../../src/provider/kernel/kernel-store.ts";
import type { Unit } from "../../src/provider/kernel/unit.ts";
import { allUnits, unitsOf } from "../../src/provider/kernel/units-file.ts";
import { type Compiler, findCompiler } from "../../src/provider/toolchain/compiler.ts";
import { type ChangedFile, readDiffs } from "../../src/source/diffs/diff-input.ts";
import { changesOf, layOutView, viewDirectory } from "../../src/source/tree.ts";
import { compileInView } from "../../src/subject/kernel/compile.ts";
import { modulePath } from "../../src/subject/kernel/module-file.ts";
import { openKernel } from "../../src/subject/kernel/open-kernel.ts";
import { compileOriginal } from "../../src/subject/kernel/originals.ts";
import { openSymvers } from "../../src/subject/kernel/symvers.ts";
import {
  type AffectedOptions,
  type AffectedUnits,
  affectedUnits,
} from "../../src/subject/kernel/units/affected-units.ts";
import { kernelRules } from "../../src/subject/kernel/units/file-rules.ts";
import { openIncludeGraph } from "../../src/subject/kernel/units/include-graph.ts";
import { type Series, stockKernel } from "./stock-kernel.ts";

const SERIES: readonly Series[] = ["6.1", "6.12"];
const cache = new Cache();
const progress = silentProgress;

describe.each(SERIES)("a stock kernel %s", (series) => {
  let kernel: Kernel;
  let compiler: Compiler;

  beforeAll(async () => {
    const { release } = await stockKernel(series);
    kernel = await openKernel({ kind: "release", release }, { cache, progress });
    compiler = await findCompiler(kernel, cache);
  });

  async function unit(source: string): Promise<Unit> {
    const [only, ...more] = await unitsOf(kernel, source);
    if (only === undefined || more.length > 0) throw new Error(`${source} is not compiled once`);
    return only;
  }

  function options() {
    return { kernel, compiler, variant: "sections" } as const;
  }

  /** The text of a file with the first of something replaced, as `readDiffs` gives it. */
  async function changed(path: string, from: string, to: string): Promise<ChangedFile[]> {
    const text = readFileSync(join(kernel.source, path), "latin1");
    if (!text.includes(from)) throw new Error(`${path} does not have ${from}`);
    const patch = createTwoFilesPatch(`a/${path}`, `b/${path}`, text, text.replace(from, to));
    const diffs = [{ name: "a.patch", data: Buffer.from(patch, "latin1") }];
    const isUnit = async (each: string): Promise<boolean> => (await unitsOf(kernel, each)).length > 0;
    return [
      ...(
        await readDiffs(diffs, {
          tree: kernel.source,
          isUnit,
          leftOut: kernel.leftOut,
          rules: kernelRules(kernel.arch.kernel.sources),
        })
      ).files,
    ];
  }

  async function affected(
    files: readonly ChangedFile[],
    refusalsOf: AffectedOptions["refusalsOf"] = async () => [],
  ): Promise<AffectedUnits> {
    return await affectedUnits(kernel, files, {
      cache,
      compiler,
      jobs: 2,
      progress,
      signal: undefined,
      makefiles: [],
      refusalsOf,
    });
  }

  test("is opened again as it is, and is listed", async () => {
    const made = statSync(join(kernel.directory, "kernel.json")).mtimeMs;
    const again = await openKernel({ kind: "release", release: kernel.release }, { cache, progress });
    expect(statSync(join(kernel.directory, "kernel.json")).mtimeMs).toBe(made);
    expect(again.identity).toBe(kernel.identity);
    expect((await listKernels(cache)).map(({ release }) => release)).toContain(kernel.release);
  });

  test("every unit says where it lands, and module units land in modules that are shipped", async () => {
    const units = await allUnits(kernel);
    expect(units.length).toBeGreaterThan(4000);
    const shipped = units.filter(
      ({ lands }) => lands.kind === "module" && lands.modules.every((each) => modulePath(kernel, each)),
    );
    expect(shipped.length).toBe(units.filter(({ lands }) => lands.kind === "module").length);
    expect((await unit("net/ipv4/tcp.c")).lands).toEqual({ kind: "vmlinux" });
    expect((await unit("arch/x86/kvm/x86.c")).lands).toEqual({ kind: "module", modules: ["arch/x86/kvm/kvm"] });
    expect((await unit("arch/x86/entry/vdso/vgetcpu.c")).lands).toEqual({ kind: "elsewhere" });
    expect(await unitsOf(kernel, "no/such.c")).toEqual([]);
  });

  test("flags of a directory, of those above it and of a file are in the command", async () => {
    const { args } = await unit("fs/xfs/libxfs/xfs_alloc.c");
    expect(args.join(" ")).toMatch(/-I ?(\.\/)?fs\/xfs\/libxfs/);
    expect(args).toContain("-DMODULE");
    expect(args).toContain('-DKBUILD_MODNAME="xfs"');
    expect((await unit("net/ipv4/tcp.c")).args).toContain('-DKBUILD_MODFILE="net/ipv4/tcp"');
    expect((await unit("kernel/trace/ftrace.c")).args).not.toContain("-pg");
    expect((await unit("net/ipv4/tcp.c")).args).toContain("-pg");
  });

  test.each([
    "lib/kobject.c",
    "kernel/sched/build_policy.c",
    "crypto/asymmetric_keys/x509_cert_parser.c",
    "security/selinux/avc.c",
    "security/apparmor/capability.c",
    "arch/x86/lib/insn.c",
    "arch/x86/lib/inat.c",
    "drivers/tty/vt/consolemap.c",
    "lib/oid_registry.c",
    "net/ipv4/netfilter/nf_nat_snmp_basic_main.c",
    "fs/xfs/xfs_bio_io.c",
    "init/version.c",
  ])("%s compiles as it is, with what kbuild generates for it", async (source) => {
    const result = await compileOriginal(await unit(source), cache, options());
    expect(result.kind === "compiled" ? "" : result.output).toBe("");
    const graph = await openIncludeGraph(kernel, cache, { progress });
    const dependencies = result.kind === "compiled" ? result.dependencies.map((path) => normalize(path)) : [];
    expect(dependencies[0]).toBe(source);
    // Each takes milliseconds; those that lie deepest come last.
    const some = [...dependencies.slice(1, 20), ...dependencies.slice(-20)];
    expect(some.filter((path) => !graph.readersOf([path]).has(source))).toEqual([]);
  });

  test("nothing is written to the source by compiling, a view of it included", async () => {
    const marker = execFileSync("date", ["+@%s.%N"], { encoding: "utf8" }).trim();
    const files = await changed("lib/kobject.c", "#include", "int suture_test;\n#include");
    await using views = await viewDirectory();
    await using objects = await temporaryDirectory();
    const view = layOutView(kernel.source, views.path, changesOf(files));
    const result = await compileInView(await unit("lib/kobject.c"), view, objects.path, options());
    expect(result.kind).toBe("compiled");
    expect(execFileSync("find", [kernel.source, "-newermt", marker], { encoding: "utf8" })).toBe("");
  });

  test("a comment that a file gets changes no byte of its object", async () => {
    const source = "fs/proc/cmdline.c";
    const files = await changed(source, "#include", "/*\n * A comment.\n */\n#include");
    await using views = await viewDirectory();
    await using objects = await temporaryDirectory();
    const view = layOutView(kernel.source, views.path, changesOf(files));
    const [patched, original] = [
      await compileInView(await unit(source), view, objects.path, options()),
      await compileOriginal(await unit(source), cache, options()),
    ];
    if (patched.kind !== "compiled" || original.kind !== "compiled") throw new Error("it does not compile");
    expect(readFileSync(patched.object).equals(readFileSync(original.object))).toBe(true);
  });

  test("a header's comment and a declaration that nothing uses affect no unit, its code those that get it", async () => {
    const header = "fs/proc/internal.h";
    const comment = await affected(await changed(header, "#include", "/* A comment. */\n#include"));
    expect(comment).toMatchObject({ units: [], notes: [] });
    const declaration = await affected(await changed(header, "#include", "extern int suture_test;\n#include"));
    expect(declaration).toMatchObject({ units: [], notes: [{ code: "NOT_REACHED" }] });
    const { units } = await affected(await changed(header, "#include", "int suture_test;\n#include"));
    const sources = units.map(({ source }) => source);
    expect(sources).toContain("fs/proc/base.c");
    expect(sources.every((source) => /^fs\/proc|^mm\//.test(source))).toBe(true);
  });

  test("of a header that very many read one unit is asked closely first, and its refusal ends the search", async () => {
    const member = "	int suture_test;\n	void				*stack;";
    const files = await changed("include/linux/sched.h", "	void				*stack;", member);
    const asked: string[] = [];
    const { units, refusals } = await affected(files, async ({ source }) => {
      asked.push(source);
      return [refusal("DATA_LAYOUT_CHANGED", "struct task_struct grows", source, "leave it")];
    });
    expect([units.length, refusals.map(({ code }) => code)]).toEqual([0, ["DATA_LAYOUT_CHANGED"]]);
    expect(asked.length).toBe(1);
    expect(readFileSync(join(kernel.source, asked[0] as string), "latin1")).toContain("task_struct");
  });

  test("a C file that another one includes affects that one", async () => {
    const { units } = await affected(
      await changed("kernel/sched/rt.c", "#include", "int suture_test;\n#include").catch(
        async () => await changed("kernel/sched/rt.c", "\n", "\nint suture_test;\n"),
      ),
    );
    expect(units.map(({ source }) => source)).toEqual(["kernel/sched/build_policy.c"]);
  });

  test("a file that is not built is told apart from one that is", async () => {
    const { units, notes } = await affected(await changed("arch/x86/um/fault.c", "#include", "int x;\n#include"));
    expect([units, notes.map(({ code }) => code)]).toEqual([[], ["NOT_BUILT"]]);
  });

  test("only whole parts of the source are left out, by their full path", () => {
    expect(kernel.leftOut).toContain("sound");
    expect(existsSync(join(kernel.source, "sound/sound_core.c"))).toBe(false);
    expect(existsSync(join(kernel.source, "include/sound/core.h"))).toBe(true);
  });

  test("exports are looked up in Module.symvers", async () => {
    const symvers = await openSymvers(kernel.symvers);
    expect(symvers.find("_printk")).toMatchObject({ object: "vmlinux", gplOnly: false, namespace: "" });
    expect(symvers.find("suture_test")).toBeUndefined();
  });
});
