/** A kernel of Debian's, from the archive that apt is configured for. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import { SutureError } from "../../lib/error.ts";
import { mapParallel } from "../../lib/parallel.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { KernelOptions, KernelSource } from "../kernel/kernel-source.ts";
import { type Archive, freshArchive, machineArchive } from "./debian-archive.ts";
import { type DebianParts, makeDebianKernel } from "./debian-kernel.ts";
import { type ChosenPackage, choosePackages } from "./debian-packages.ts";

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

/** By the machine's own lists where they lead to everything, else by fresh ones. */
async function download(release: string, options: KernelOptions): Promise<DebianParts> {
  try {
    return await downloadFrom(machineArchive(options.signal), release, options);
  } catch (error) {
    const ours = error instanceof SutureError;
    if (!ours || !["KERNEL_NOT_IN_ARCHIVE", "PACKAGE_MISSING", "DOWNLOAD_FAILED"].includes(error.code)) throw error;
  }
  options.progress.step("updating the lists of the archive");
  return await downloadFrom(await freshArchive(options.cache, options.signal), release, options);
}

async function downloadFrom(
  archive: Archive,
  release: string,
  { cache, progress, signal }: KernelOptions,
): Promise<DebianParts> {
  const packages = await choosePackages(archive, release);
  const { image, headers, kbuild, source } = packages;
  const all = [image, headers, kbuild, source];
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
  const paths = await mapParallel(all, all.length, path, signal);
  const [imagePath = "", headersPath = "", kbuildPath = "", sourcePath = ""] = paths;
  return {
    release,
    version: image.version,
    image: imagePath,
    headers: headersPath,
    kbuild: kbuildPath,
    source: sourcePath,
  };
}
