/** From how a kernel is named to what it is made from. */
import { release as runningRelease } from "node:os";
import type { Cache } from "../../lib/cache.ts";
import type { Kernel, KernelChoice, ModuleChoice } from "../kernel/kernel.ts";
import type { KernelSource } from "../kernel/kernel-source.ts";
import { kernelEntry, listKernels, readKernel } from "../kernel/kernel-store.ts";
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

/** Removes a ready kernel, or what is left of one, and its downloads. Returns false if there was none. */
export async function removeKernel(cache: Cache, release: string): Promise<boolean> {
  const entry = kernelEntry(cache, release);
  const kernel = await readKernel(entry);
  const isThere = entry.exists();
  await entry.remove();
  if (kernel !== undefined) {
    const others = await listKernels(cache);
    // Each knows its own: which one a kernel is from its record does not say.
    for (const each of DISTRIBUTIONS) await each.removeDownloads(kernel, others, cache);
  }
  return isThere;
}
