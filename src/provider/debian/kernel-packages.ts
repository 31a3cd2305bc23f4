/** A kernel of Debian's, from the archive that apt is configured for. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import { SutureError } from "../../lib/error.ts";
import { mapParallel } from "../../lib/parallel.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { KernelOptions, KernelSource } from "../kernel/kernel-source.ts";
import { type Archive, freshArchive, joined, machineArchive } from "./debian-archive.ts";
import { type DebianParts, makeDebianKernel } from "./debian-kernel.ts";
import { type ChosenPackage, choosePackages } from "./debian-packages.ts";
import { openSuites } from "./suites.ts";

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
    async make(directory, making) {
      await makeDebianKernel(directory, await download(release, making), making);
    },
  };
}

/** Removes what a kernel was made from. @param isShared whether another one was made from the same source */
export async function removePackages({ release, version }: Kernel, isShared: boolean, cache: Cache): Promise<void> {
  const downloads = cache.kind(PACKAGES);
  for (const file of await readdir(downloads).catch(() => [])) {
    const isSource = file.startsWith("linux-source-") || file.startsWith("linux-kbuild-");
    const isOfKernel = file.includes(`-${release}_`) || (isSource && !isShared && file.includes(`_${version}.`));
    if (isOfKernel) await rm(join(downloads, file), { force: true });
  }
}

const NOT_THERE = new Set(["KERNEL_NOT_IN_ARCHIVE", "PACKAGE_MISSING", "DOWNLOAD_FAILED"]);

/** By the machine's own lists where they lead to everything, else by fresh ones, else by those of all of Debian's suites. */
async function download(release: string, options: KernelOptions): Promise<DebianParts> {
  const { cache, progress, signal } = options;
  const notThere = (error: unknown): SutureError => {
    if (error instanceof SutureError && NOT_THERE.has(error.code)) return error;
    throw error;
  };
  try {
    return await downloadFrom(machineArchive(signal), release, options);
  } catch (error) {
    notThere(error);
  }
  progress.step("updating the lists of the archive");
  let failure: SutureError;
  const fresh = await freshArchive(cache, signal);
  try {
    return await downloadFrom(fresh, release, options);
  } catch (error) {
    failure = notThere(error);
  }
  progress.step("updating the lists of Debian's suites");
  const { suites, dropped } = await openSuites(cache, signal);
  for (const { name, why } of dropped) progress.note(`${name} is left out: ${why}`);
  if (suites.length === 0) throw failure;
  return await downloadFrom(joined(suites.map(({ archive }) => archive)), release, options);
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
