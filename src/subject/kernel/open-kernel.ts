/** A kernel that livepatches can be built for: made ready by who provides it, and proved. */
import type { Kernel, KernelChoice } from "../../provider/kernel/kernel.ts";
import type { KernelOptions, KernelSource } from "../../provider/kernel/kernel-source.ts";
import { makeReady, type ReadyOptions, readyKernel } from "../../provider/kernel/kernel-store.ts";
import { kernelSource, sourceOfModules } from "../../provider/registry/kernels.ts";
import { findCompiler } from "../../provider/toolchain/compiler.ts";

/**
 * Opens a kernel, making it ready first if it is not. Takes milliseconds when
 * it is. Throws what `fetchKernel` throws, and `CACHE_DAMAGED`.
 */
export async function openKernel(choice: KernelChoice, options: KernelOptions): Promise<Kernel> {
  return await readyKernel(await sourceOf(choice, options), proving(options));
}

/**
 * Makes a kernel ready that is not, or is not whole. Throws what `kernelSource` and
 * `makeReady` throw, and `SOURCE_OF_ANOTHER_KERNEL`.
 */
export async function fetchKernel(choice: KernelChoice, options: KernelOptions): Promise<Kernel> {
  return await makeReady(await sourceOf(choice, options), proving(options));
}

async function sourceOf(choice: KernelChoice, options: KernelOptions): Promise<KernelSource> {
  if (choice.kind !== "module-source") return await kernelSource(choice);
  return await sourceOfModules(choice, await openKernel(choice.kernel, options));
}

function proving({ cache, progress, signal }: KernelOptions): ReadyOptions {
  return {
    cache,
    progress,
    signal,
    async prove(kernel) {
      const { proveKernel } = await import("./prove-kernel.ts");
      await proveKernel(kernel, await findCompiler(kernel, cache, signal), cache, signal);
    },
  };
}
