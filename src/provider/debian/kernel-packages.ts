/** A kernel of Debian's, from the archive that apt is configured for. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import { SutureError } from "../../lib/error.ts";
import { mapParallel } from "../../lib/parallel.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { KernelOptions, KernelSource } from "../kernel/kernel-source.ts";
import { toolchainEntry } from "../toolchain/compiler.ts";
import { packagedCompiler } from "../toolchain/compiler-names.ts";
import { type Archive, freshArchive, joined, machineArchive } from "./debian-archive.ts";
import { type DebianParts, makeDebianKernel } from "./debian-kernel.ts";
import { type ChosenPackage, choosePackages } from "./debian-packages.ts";
import { compilerFor } from "./fetch-compiler.ts";
import { freshSuites, keptSuites, type Suite } from "./suites.ts";

/** Below the cache: the .deb files that kernels were made from. */
const PACKAGES = "packages";

/**
 * Throws `BAD_KERNEL_RELEASE`; its `make` throws `KERNEL_NOT_IN_ARCHIVE`,
 * `PACKAGE_MISSING`, `ARCHIVE_UNREACHABLE`, `DOWNLOAD_FAILED`.
 */
export function kernelPackages(release: string): KernelSource {
  if (!/^\d[A-Za-z0-9.+~-]*$/.test(release)) {
    throw new SutureError("BAD_KERNEL_RELEASE", `not a kernel release: ${JSON.stringify(release.slice(0, 100))}`, {
      hint: "give what uname -r prints, for instance 6.1.0-56-cloud-amd64",
    });
  }
  return {
    name: release,
    isAtHand: false,
    compilerFor,
    async make(directory, making) {
      await makeDebianKernel(directory, await download(release, making), making);
    },
  };
}

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

const NOT_THERE = new Set(["KERNEL_NOT_IN_ARCHIVE", "PACKAGE_MISSING", "DOWNLOAD_FAILED"]);

/** By the machine's own lists where they lead to everything, else by those that the cache has of Debian's suites, else by new ones. */
async function download(release: string, options: KernelOptions): Promise<DebianParts> {
  const { cache, progress, signal } = options;
  const places: (() => Promise<Archive | undefined>)[] = [
    async () => machineArchive(signal),
    async () => joinedSuites(await keptSuites(cache, signal)),
    async () => {
      progress.step("updating the lists of the archive");
      return await freshArchive(cache, signal);
    },
    async () => joinedSuites(await freshSuites(options)),
  ];
  let failure: unknown;
  for (const place of places) {
    const archive = await place();
    if (archive === undefined) continue;
    try {
      return await downloadFrom(archive, release, options);
    } catch (error) {
      if (!isNotThere(error)) throw error;
      failure = error;
    }
  }
  throw failure;
}

function joinedSuites(suites: readonly Suite[]): Archive | undefined {
  return suites.length === 0 ? undefined : joined(suites.map(({ archive }) => archive));
}

function isNotThere(error: unknown): boolean {
  return error instanceof SutureError && NOT_THERE.has(error.code);
}

async function downloadFrom(
  archive: Archive,
  release: string,
  { cache, progress, signal }: KernelOptions,
): Promise<DebianParts> {
  const { version, images, headers, kbuild, source, realTime } = await choosePackages(archive, release);
  const all = [headers, kbuild, source, ...images];
  const total = all.reduce((size, each) => size + each.size, 0);
  progress.step(`downloading ${release}`);
  const come = new Map<ChosenPackage, number>();
  const path = async (each: ChosenPackage): Promise<string> => {
    const entry = cache.named(PACKAGES, `${each.name}_${each.version}.deb`.replaceAll(":", "+"));
    const onBytes = (bytes: number): void => {
      come.set(each, bytes);
      const done = [...come.values()].reduce((sum, size) => sum + size, 0);
      progress.tick(Math.floor(done / 1e6), Math.ceil(total / 1e6), "MB");
    };
    const file = await entry.file((made) => archive.download(each.name, each.version, made, onBytes));
    // What was in the cache already has come as well.
    onBytes(each.size);
    return file;
  };
  const [headersPath = "", kbuildPath = "", sourcePath = "", ...imagePaths] = await mapParallel(
    all,
    all.length,
    path,
    signal,
  );
  return {
    release,
    version,
    images: imagePaths,
    headers: headersPath,
    kbuild: kbuildPath,
    source: sourcePath,
    realTime,
    kbuildPackage: kbuild,
  };
}
