/** Downloads what a kernel of Debian's is made from, and makes it. */
import { SutureError } from "../../lib/error.ts";
import { mapParallel } from "../../lib/parallel.ts";
import type { KernelOptions, Making } from "../kernel/kernel-source.ts";
import { type Archive, freshArchive, joined, machineArchive } from "./debian-archive.ts";
import { type DebianParts, makeDebianKernel } from "./debian-kernel.ts";
import { type ChosenPackage, choosePackages } from "./debian-packages.ts";
import { PACKAGES } from "./remove-packages.ts";
import { freshSuites, keptSuites, type Suite } from "./suites.ts";

/** As `KernelSource.make`. Throws `KERNEL_NOT_IN_ARCHIVE`, `PACKAGE_MISSING`, `ARCHIVE_UNREACHABLE`, `DOWNLOAD_FAILED`. */
export async function downloadKernel(directory: string, release: string, making: Making): Promise<void> {
  await makeDebianKernel(directory, await download(release, making), making);
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
