import type { Cache } from "../lib/cache.ts";
import type { AvailableKernels } from "./available-kernel.ts";
import type { Kernel } from "./kernel/kernel.ts";
import type { KernelOptions, KernelSource } from "./kernel/kernel-source.ts";
import type { OpenOptions } from "./program/open-options.ts";
import type { SourcePackage } from "./program/source-package.ts";
import type { PackageVersions, SourcePatch } from "./program/source-versions.ts";
import type { Compiler, WantedCompiler } from "./toolchain/compiler.ts";

/** Who ships kernels and programs in packages, and their sources. */
export interface Distribution {
  /** As ID of its /etc/os-release has it. */
  readonly name: string;
  /** @param release as uname -r prints it. Nothing is looked up yet. */
  kernel(release: string): Promise<KernelSource>;
  /** The kernels that it ships for this machine's architecture, whichever of its releases this machine runs. */
  availableKernels(options: KernelOptions): Promise<AvailableKernels>;
  /** Releases of kernels that it ships, as far as it can be told at once: for the completion of a word. */
  offeredReleases(signal?: AbortSignal): Promise<readonly string[]>;
  /** The compiler that a configuration names, fetched into the cache where this machine has it not. Throws `WRONG_COMPILER`. */
  compilerFor(wanted: WantedCompiler, options: KernelOptions): Promise<Compiler>;
  /** Removes what was downloaded for a kernel that is removed. @param others those that are ready still */
  removeDownloads(kernel: Kernel, others: readonly Kernel[], cache: Cache): Promise<void>;
  /** @param spec a package, or a source package; in the distribution's own way with a version */
  sourcePackage(spec: string, options: OpenOptions): Promise<SourcePackage>;
  /** The same with its last patches taken off. @param patches in the order in which they were applied */
  sourceWithout(spec: string, patches: readonly SourcePatch[], options: OpenOptions): Promise<SourcePackage>;
  /** What it has of every package. */
  packageVersions(options: OpenOptions): Promise<PackageVersions>;
  /** The command that installs a program that suture runs; undefined where it is not known. */
  toInstall(program: string): Promise<string | undefined>;
}
