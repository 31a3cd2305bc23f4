/** Where the downloads of a kernel of Debian's lie, and how they go. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { toolchainEntry } from "../toolchain/compiler.ts";
import { packagedCompiler } from "../toolchain/compiler-names.ts";

/** Below the cache: the .deb files that kernels were made from. */
export const PACKAGES = "packages";

/** Removes what a kernel was made from, and the compiler that was fetched for it, unless one of the others needs it. */
export async function removePackages(kernel: Kernel, others: readonly Kernel[], cache: Cache): Promise<void> {
  const { release, version, compilerText } = kernel;
  const isShared = others.some((each) => each.version === version);
  const compiler = packagedCompiler(compilerText);
  if (compiler !== undefined && !others.some((each) => each.compilerText === compilerText)) {
    await toolchainEntry(cache, compiler).remove();
  }
  const downloads = cache.kind(PACKAGES);
  for (const file of await readdir(downloads).catch(() => [])) {
    const isSource = file.startsWith("linux-source-") || file.startsWith("linux-kbuild-");
    const isOfKernel = file.includes(`-${release}_`) || (isSource && !isShared && file.includes(`_${version}.`));
    if (isOfKernel) await rm(join(downloads, file), { force: true });
  }
}
