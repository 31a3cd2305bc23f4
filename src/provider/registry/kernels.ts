/** From how a kernel is named to what it is made from. */
import { release as runningRelease } from "node:os";
import { basename } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import type { Kernel, KernelChoice, ModuleChoice } from "../kernel/kernel.ts";
import type { KernelSource } from "../kernel/kernel-source.ts";
import { kernelEntry, listKernels } from "../kernel/kernel-store.ts";
import { DISTRIBUTIONS, distribution } from "./distributions.ts";

/** Throws `KERNEL_INCOMPLETE` for a custom kernel of which something is not there, and `BAD_KERNEL_RELEASE`. */
export async function kernelSource(choice: Exclude<KernelChoice, ModuleChoice>): Promise<KernelSource> {
  if (choice.kind === "release" || choice.kind === "running")
    return await distribution(choice.from).kernel(releaseOf(choice));
  const { customKernel } = await import("../custom/custom-kernel.ts");
  const source = await customKernel(choice);
  return { ...source, compilerFor: async (wanted, options) => await distribution().compilerFor(wanted, options) };
}

/** What a module's source adds to its kernel, which is ready. Throws what `moduleSource` throws. */
export async function sourceOfModules(choice: ModuleChoice, base: Kernel): Promise<KernelSource> {
  const { moduleSource } = await import("../custom/module-source.ts");
  return await moduleSource(choice, base);
}

/** `running`, or a release by name, to a release. */
export function releaseOf(choice: KernelChoice & { readonly kind: "release" | "running" }): string {
  return choice.kind === "running" ? runningRelease() : choice.release;
}

/**
 * Removes the ready kernel of that name, or what is left of one, and those of one's own of that release, with
 * what was made of them for modules' own sources, and their downloads. Returns false if there was none.
 */
export async function removeKernel(cache: Cache, release: string): Promise<boolean> {
  const kernels = (await listKernels(cache)).filter((kernel) => kernel.release === release);
  const names = new Set([release, ...kernels.map(({ directory }) => basename(directory))]);
  const entries = [...names].map((name) => kernelEntry(cache, name)).filter((entry) => entry.exists());
  for (const { symbols, directory } of await listKernels(cache, "modules"))
    if (entries.some((entry) => symbols.startsWith(`${entry.path}/`)))
      await kernelEntry(cache, basename(directory), "modules").remove();
  for (const entry of entries) await entry.remove();
  const others = await listKernels(cache);
  // Each knows its own: which one a kernel is from its record does not say.
  for (const kernel of kernels) for (const each of DISTRIBUTIONS) await each.removeDownloads(kernel, others, cache);
  return entries.length > 0;
}
