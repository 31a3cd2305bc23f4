/** The kernels that are ready on this machine, and making one ready. */
import { readdir, readFile, rm } from "node:fs/promises";
import { release as runningRelease } from "node:os";
import { join } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import { SutureError } from "../../lib/error.ts";
import { mapParallel } from "../../lib/parallel.ts";
import type { Progress } from "../../lib/progress.ts";
import { damageBelow } from "../../lib/seal.ts";
import { type CustomChoice, findCustomParts, makeCustomKernel } from "../../provider/custom/custom-kernel.ts";
import { type Archive, freshArchive, machineArchive } from "../../provider/debian/debian-archive.ts";
import { makeDebianKernel } from "../../provider/debian/debian-kernel.ts";
import { type ChosenPackage, choosePackages, type KernelPackages } from "../../provider/debian/debian-packages.ts";
import {
  KERNEL_FORMAT,
  type Kernel,
  type KernelChoice,
  kernelFrom,
  readKernelRecord,
} from "../../provider/kernel/kernel.ts";
import { RECORD_FILE } from "../../provider/kernel/ready-kernel.ts";
import { findCompiler } from "../../provider/toolchain/compiler.ts";
import { cacheDamaged } from "./kernel-damage.ts";
import { proveKernel } from "./prove-kernel.ts";

/** Where kernels are kept, and how to tell of what takes long. */
export interface KernelOptions {
  readonly cache: Cache;
  readonly progress: Progress;
  readonly signal?: AbortSignal | undefined;
}

/** Below the cache: one directory for each ready kernel. */
const KERNELS = "kernels";
/** Below the cache: the .deb files that they were made from. */
const PACKAGES = "packages";

/**
 * Opens a kernel, making it ready first if it is not. Takes milliseconds when
 * it is. Throws what `fetchKernel` throws, `CACHE_DAMAGED`, and
 * `KERNEL_INCOMPLETE` for a custom kernel of which something is not there.
 */
export async function openKernel(choice: KernelChoice, options: KernelOptions): Promise<Kernel> {
  if (choice.kind === "custom") return await openCustom(choice, options);
  const release = releaseOf(choice);
  const kernel = (await readKernel(options.cache, release)) ?? (await fetchKernel(release, options));
  // The source is looked at where anything fails: there is much of it.
  const file = await damageBelow(kernel.directory, "source");
  if (file !== undefined) throw cacheDamaged(release, file);
  return kernel;
}

/** `running`, or a release by name, to a release. */
export function releaseOf(choice: KernelChoice & { readonly kind: "debian" | "running" }): string {
  return choice.kind === "running" ? runningRelease() : choice.release;
}

/**
 * Makes a Debian kernel ready from the archive that apt is configured for.
 * Throws `BAD_KERNEL_RELEASE`, `KERNEL_NOT_IN_ARCHIVE`, `PACKAGE_MISSING`,
 * `ARCHIVE_UNREACHABLE`, `DOWNLOAD_FAILED`, `WRONG_COMPILER`, `DISK_FULL`,
 * `SOURCE_OF_ANOTHER_KERNEL`, `INTERRUPTED`; the cache then holds nothing half done.
 */
export async function fetchKernel(release: string, options: KernelOptions): Promise<Kernel> {
  const { cache, progress, signal } = options;
  if (!/^\d[A-Za-z0-9.+~-]*$/.test(release)) {
    throw new SutureError("BAD_KERNEL_RELEASE", `not a kernel release: ${JSON.stringify(release.slice(0, 100))}`, {
      hint: "give what uname -r prints, for instance 6.1.0-56-cloud-amd64",
    });
  }
  const entry = cache.named(KERNELS, release);
  const onWait = (pid: number): void => progress.note(`waiting for process ${pid}, which makes ${release} ready`);
  return await entry.locked(
    async () => {
      const known = await readKernel(cache, release);
      if (known !== undefined && (await entry.damage()) === undefined) return known;
      await entry.remove();
      const debs = await downloadKernel(release, options);
      await entry.makeDirectory(async (directory) => {
        await makeDebianKernel(directory, debs, {
          compilerFor: async (text) => await findCompiler(text, cache, signal),
          step: (text) => progress.step(text),
          signal,
        });
        await proveIn(directory, options);
      });
      progress.done();
      const made = await readKernel(cache, release);
      if (made === undefined) throw new Error(`kernel ${release} was made and is not there`);
      return made;
    },
    { signal, onWait },
  );
}

async function openCustom(choice: CustomChoice, { cache, progress, signal }: KernelOptions): Promise<Kernel> {
  const parts = await findCustomParts(choice);
  const name = `custom-${parts.digest.slice(0, 16)}`;
  const entry = cache.named(KERNELS, name);
  return await entry.locked(
    async () => {
      const known = await readKernel(cache, name);
      if (known !== undefined && (await entry.damage()) === undefined) return known;
      await entry.remove();
      await entry.makeDirectory(async (directory) => {
        await makeCustomKernel(directory, parts, {
          compilerFor: async (text) => await findCompiler(text, cache, signal),
          step: (text) => progress.step(text),
          signal,
        });
        await proveIn(directory, { cache, progress, signal });
      });
      progress.done();
      const made = await readKernel(cache, name);
      if (made === undefined) throw new Error(`kernel ${name} was made and is not there`);
      return made;
    },
    { signal },
  );
}

/** The ready kernels, by release. */
export async function listKernels(cache: Cache): Promise<Kernel[]> {
  const names = await namesBelow(cache.kind(KERNELS));
  const kernels = await Promise.all(
    names.filter((name) => !name.startsWith(".")).map((name) => readKernel(cache, name)),
  );
  return kernels
    .filter((kernel) => kernel !== undefined)
    .sort((a, b) => a.release.localeCompare(b.release, "en", { numeric: true }));
}

/** What is there; the kind may have no entry yet. */
async function namesBelow(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Removes a ready kernel, or what is left of one, and its downloads unless they are to be kept. Returns false if there was none. */
export async function removeKernel(
  cache: Cache,
  release: string,
  options: { readonly keepPackages?: boolean } = {},
): Promise<boolean> {
  const kernel = await readKernel(cache, release);
  const entry = cache.named(KERNELS, release);
  const isThere = entry.exists();
  await entry.remove();
  if (kernel !== undefined && options.keepPackages !== true) {
    const stillUsed = (await listKernels(cache)).some(({ version }) => version === kernel.version);
    const downloads = cache.kind(PACKAGES);
    for (const file of await readdir(downloads).catch(() => [])) {
      const shared = file.startsWith("linux-source-") || file.startsWith("linux-kbuild-");
      const ofKernel = file.includes(`-${release}_`) || (shared && !stillUsed && file.includes(`_${kernel.version}.`));
      if (ofKernel) await rm(join(downloads, file), { force: true });
    }
  }
  return isThere;
}

/** Proves what was made, before anybody can see it. Throws `SOURCE_OF_ANOTHER_KERNEL`. */
async function proveIn(directory: string, { cache, progress, signal }: KernelOptions): Promise<void> {
  const kernel = await readKernelIn(directory);
  if (kernel === undefined) return;
  progress.step(`proving that source and image of ${kernel.release} belong together`);
  await proveKernel(kernel, await findCompiler(kernel.compilerText, cache, signal), cache, signal);
}

async function readKernel(cache: Cache, name: string): Promise<Kernel | undefined> {
  return await readKernelIn(cache.named(KERNELS, name).path);
}

async function readKernelIn(path: string): Promise<Kernel | undefined> {
  const text = await readFile(join(path, RECORD_FILE), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return "";
    throw error;
  });
  const record = readKernelRecord(text);
  return record?.format === KERNEL_FORMAT ? kernelFrom(path, record) : undefined;
}

interface Downloaded {
  readonly release: string;
  readonly version: string;
  readonly image: string;
  readonly headers: string;
  readonly kbuild: string;
  readonly source: string;
}

/** By the machine's own lists where they lead to everything, else by fresh ones. */
async function downloadKernel(release: string, options: KernelOptions): Promise<Downloaded> {
  try {
    return await downloadFrom(machineArchive(options.signal), release, options);
  } catch (error) {
    const ours = error instanceof SutureError;
    if (!ours || !["KERNEL_NOT_IN_ARCHIVE", "PACKAGE_MISSING", "DOWNLOAD_FAILED"].includes(error.code)) throw error;
  }
  options.progress.step("updating the lists of the archive");
  return await downloadFrom(await freshArchive(options.cache, options.signal), release, options);
}

async function downloadFrom(archive: Archive, release: string, options: KernelOptions): Promise<Downloaded> {
  const packages: KernelPackages = await choosePackages(archive, release);
  const total = Object.values(packages).reduce((size: number, each: ChosenPackage) => size + each.size, 0);
  options.progress.step(`downloading ${release} (${Math.ceil(total / 1e6)} MB)`);
  const path = async (each: ChosenPackage): Promise<string> => {
    const entry = options.cache.named(PACKAGES, `${each.name}_${each.version}.deb`.replaceAll(":", "+"));
    return await entry.file((file) => archive.download(each.name, each.version, file));
  };
  const { image, headers, kbuild, source } = packages;
  const [imagePath = "", headersPath = "", kbuildPath = "", sourcePath = ""] = await mapParallel(
    [image, headers, kbuild, source],
    4,
    path,
    options.signal,
  );
  return {
    release,
    version: image.version,
    image: imagePath,
    headers: headersPath,
    kbuild: kbuildPath,
    source: sourcePath,
  };
}
