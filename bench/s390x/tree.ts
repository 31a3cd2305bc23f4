/** A kernel's source tree in which kbuild can compile single files for another machine, and what the kernel ships. */
import { existsSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { archOfConfig } from "../../src/arch/registry.ts";
import { readElf } from "../../src/elf/read.ts";
import { readKallsyms } from "../../src/image/kallsyms.ts";
import { encodeSymbolTable } from "../../src/image/symbol-table.ts";
import { unpackKernelImage } from "../../src/image/unpack.ts";
import { addHeaders, addPrograms } from "../../src/provider/debian/debian-kernel.ts";
import { unpackPackage, unpackSource } from "../../src/provider/debian/unpack-packages.ts";
import { cannotBuild } from "../../src/provider/kernel/cannot-build.ts";
import { parseConfig } from "../../src/provider/kernel/kernel.ts";
import type { Compiler } from "../../src/provider/toolchain/compiler.ts";
import type { Packages } from "./packages.ts";

/** Of the same version as the kernel's; of which revision of the package is of no matter for this machine. */
export const COMPILER: Compiler = { path: "s390x-linux-gnu-gcc-12", text: "s390x-linux-gnu-gcc-12" };

export interface CrossKernel {
  readonly tree: string;
  readonly vmlinux: string;
  /** The symbol table file. */
  readonly symbols: string;
}

/** Kept in `directory` by the kernel's version. */
export async function prepared(directory: string, packages: Packages): Promise<CrossKernel> {
  const { release, version } = packages;
  const ready = join(directory, version);
  const kernel = { tree: join(ready, "tree"), vmlinux: join(ready, "vmlinux"), symbols: join(ready, "symbols.table") };
  if (existsSync(ready)) return kernel;
  const making = join(directory, "making");
  await rm(making, { recursive: true, force: true });
  const unpacked = join(making, "unpacked");
  for (const each of [packages.image, packages.headers, packages.kbuild]) await unpackPackage(each, unpacked);
  const headers = join(unpacked, "usr/src", `linux-headers-${release}`);
  const config = parseConfig(await readFile(join(headers, ".config"), "utf8"));
  const arch = archOfConfig(config, headers);
  const tree = join(making, "tree");
  await unpackSource(packages.source, tree, cannotBuild(config));
  await addHeaders(tree, headers, arch);
  await addPrograms(tree, join(unpacked, "usr/lib"), arch);
  const path = join(unpacked, "boot", `vmlinuz-${release}`);
  const vmlinux = await unpackKernelImage(await readFile(path), path);
  await writeFile(join(making, "vmlinux"), vmlinux);
  await writeFile(join(making, "symbols.table"), encodeSymbolTable(readKallsyms(readElf(vmlinux, path))));
  await rm(unpacked, { recursive: true });
  await rename(making, ready);
  return kernel;
}
