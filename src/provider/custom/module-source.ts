/** A ready kernel with the modules of a source of their own, as `make M=DIR` has left it. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { readElf } from "../../elf/read.ts";
import { SutureError } from "../../lib/error.ts";
import { moduleInfoOf } from "../../patch/modinfo.ts";
import type { Kernel, ModuleChoice } from "../kernel/kernel.ts";
import type { KernelSource, Making } from "../kernel/kernel-source.ts";
import { writeRecord } from "../kernel/ready-kernel.ts";
import { writeUnits } from "../kernel/units-file.ts";
import { compilerNamed } from "../toolchain/compiler.ts";
import { linkTree } from "./link-tree.ts";
import { fromWhereItRan } from "./recorded-compiler.ts";
import { EXTRA, KERNEL_TREE, type RecordedModules, recordedModules } from "./recorded-units.ts";

/**
 * Throws `MODULE_NOT_BUILT` where make has left no module or no record of how it was
 * compiled, `SOURCE_OF_ANOTHER_KERNEL` for a module of another kernel than `base`.
 */
export async function moduleSource(choice: ModuleChoice, base: Kernel): Promise<KernelSource> {
  const parts = await findModuleParts(choice, base);
  return {
    name: `module-${parts.digest.slice(0, 16)}`,
    isAtHand: true,
    kind: "modules",
    make: (directory, making) => makeModuleKernel(directory, base, parts, making),
  };
}

interface ModuleParts extends RecordedModules {
  readonly directory: string;
  readonly compiler: string;
  /** Changes with the modules and the records, but not with the source. */
  readonly digest: string;
}

/** Throws as `moduleSource`. */
async function findModuleParts(choice: ModuleChoice, base: Kernel): Promise<ModuleParts> {
  const directory = resolve(choice.directory);
  const command = `make -C /lib/modules/${base.release}/build M=${directory} modules`;
  const notBuilt = (what: string, where: string): SutureError =>
    new SutureError("MODULE_NOT_BUILT", what, { where, hint: `build it, and leave what that makes: ${command}` });
  if (!existsSync(directory)) throw notBuilt("the module's source is not there", directory);
  const recorded = await recordedModules(directory);
  const [compiler, ...others] = recorded.compilers;
  if (compiler === undefined || recorded.modules.length === 0)
    throw notBuilt("make has left no record (.NAME.o.cmd) of how the module was compiled", directory);
  if (others.length > 0)
    throw notBuilt(`its files were compiled by several compilers: ${recorded.compilers.join(", ")}`, directory);
  const hash = createHash("sha256");
  hash.update([base.identity, directory, JSON.stringify(recorded.units)].join("\0"));
  for (const name of recorded.modules) {
    const file = join(directory, `${name}.ko`);
    if (!existsSync(file)) throw notBuilt("make has left no module", file);
    const data = await readFile(file);
    const { vermagic = "" } = moduleInfoOf(readElf(data, file));
    if (!vermagic.startsWith(`${base.release} `))
      throw new SutureError(
        "SOURCE_OF_ANOTHER_KERNEL",
        `the module was built for another kernel than ${base.release}`,
        {
          where: `${file}: vermagic=${vermagic}`,
          hint: command,
        },
      );
    hash.update(data);
  }
  return { ...recorded, directory, compiler: fromWhereItRan(compiler, directory), digest: hash.digest("hex") };
}

/** Fills `directory`, which is empty. */
async function makeModuleKernel(directory: string, base: Kernel, parts: ModuleParts, making: Making): Promise<void> {
  making.progress.step(`reading how ${parts.modules.join(", ")} was built`);
  const { text } = await compilerNamed(parts.compiler, making.cache, making.signal);
  await linkTree({ from: parts.directory, to: join(directory, "source") }, new Set(), making.signal);
  await symlink(join(base.source, base.kernelTree), join(directory, "source", KERNEL_TREE));
  await writeUnits(join(directory, "units"), parts.units);
  await layOutModules(join(directory, "modules"), base, parts);
  const own = await readFile(join(parts.directory, "Module.symvers"), "latin1").catch(() => "");
  await writeFile(join(directory, "Module.symvers"), own + (await readFile(base.symvers, "latin1")), "latin1");
  const paths = {
    source: "source",
    kernelTree: KERNEL_TREE,
    symvers: "Module.symvers",
    modules: "modules",
    units: "units",
    objtool: base.objtool,
    vmlinux: base.vmlinux,
    ...(base.vmlinuz === undefined ? {} : { vmlinuz: base.vmlinuz }),
    symbols: base.symbols,
    layouts: base.layouts,
  };
  const { release, version, buildId } = base;
  const compiler = { compilerText: text, compilerPath: parts.compiler };
  const record = {
    release,
    version,
    buildId,
    ...compiler,
    sourceMayChange: true,
    isBuiltBeside: false,
    leftOut: [],
    paths,
  };
  await writeRecord(directory, record, [text, parts.digest]);
}

/** The kernel's own modules, and beside them those of the source, as they are now. */
async function layOutModules(to: string, base: Kernel, { directory, modules }: ModuleParts): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of await readdir(base.modules)) {
    if (name !== EXTRA && name !== ORDER) await symlink(join(base.modules, name), join(to, name));
  }
  const order = await readFile(join(base.modules, ORDER), "utf8").catch(() => "");
  const own = modules.map((name) => `${EXTRA}/${name}.ko`);
  for (const [i, path] of own.entries()) {
    await mkdir(join(to, dirname(path)), { recursive: true });
    await copyFile(join(directory, `${modules[i]}.ko`), join(to, path));
  }
  await writeFile(join(to, ORDER), order + own.map((path) => `${path}\n`).join(""));
}

const ORDER = "modules.order";
