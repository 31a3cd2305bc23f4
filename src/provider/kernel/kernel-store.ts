/** The kernels that are ready on this machine, and making one ready. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import type { CacheEntry } from "../../lib/cache-entry.ts";
import { SutureError } from "../../lib/error.ts";
import { damageBelow } from "../../lib/seal.ts";
import { type Compiler, findCompiler, type WantedCompiler } from "../toolchain/compiler.ts";
import { KERNEL_FORMAT, type Kernel, kernelFrom, readKernelRecord } from "./kernel.ts";
import type { KernelOptions, KernelSource } from "./kernel-source.ts";
import { RECORD_FILE } from "./ready-kernel.ts";

/** What making a kernel ready takes besides what it is made from. */
export interface ReadyOptions extends KernelOptions {
  /** Looks at what was made before anybody can see it, and throws where source and image do not belong together. */
  readonly prove: (kernel: Kernel) => Promise<void>;
}

/** Of a kernel in the cache, by the name of its entry. */
export function kernelEntry(cache: Cache, name: string, kind: KernelSource["kind"] = "kernels"): CacheEntry {
  return cache.named(kind, name);
}

/**
 * Opens a kernel, making it ready first if it is not. Takes milliseconds when
 * it is. Throws what `makeReady` throws, and `CACHE_DAMAGED`.
 */
export async function readyKernel(source: KernelSource, options: ReadyOptions): Promise<Kernel> {
  const known = source.isAtHand ? undefined : await readKernel(kernelEntry(options.cache, source.name, source.kind));
  if (known === undefined) return await makeReady(source, options);
  // The source is looked at where anything fails: there is much of it.
  const file = await damageBelow(known.directory, "source");
  if (file !== undefined) throw cacheDamaged(known.release, file);
  return known;
}

/**
 * Makes a kernel ready that is not, or is not whole, and has its compiler be here. Throws what the source's
 * `make` throws, `WRONG_COMPILER`, `DISK_FULL`, `INTERRUPTED`; the cache then holds
 * nothing half done.
 */
export async function makeReady(source: KernelSource, options: ReadyOptions): Promise<Kernel> {
  const { cache, progress, signal, prove } = options;
  const { name } = source;
  const entry = kernelEntry(cache, name, source.kind);
  const compilerFor = async (wanted: WantedCompiler): Promise<Compiler> =>
    source.compilerFor === undefined
      ? await findCompiler(wanted, cache, signal)
      : await source.compilerFor(wanted, { cache, progress, signal });
  const onWait = (pid: number): void => progress.note(`waiting for process ${pid}, which makes ${name} ready`);
  return await entry.locked(
    async () => {
      const known = await readKernel(entry);
      if (known !== undefined && (await entry.damage()) === undefined) {
        await compilerFor(known);
        return known;
      }
      await entry.remove();
      await entry.makeDirectory(async (directory) => {
        await source.make(directory, { cache, progress, signal, compilerFor });
        const made = await readKernelIn(directory);
        if (made === undefined) return;
        progress.step(`proving that source and image of ${made.release} belong together`);
        await prove(made);
      });
      progress.done();
      const made = await readKernel(entry);
      if (made === undefined) throw new Error(`kernel ${name} was made and is not there`);
      return made;
    },
    { signal, onWait },
  );
}

/** The ready kernels, or with `modules` those of them that have a module's own source beside them, by release. */
export async function listKernels(cache: Cache, kind: "kernels" | "modules" = "kernels"): Promise<Kernel[]> {
  const names = await namesBelow(cache.kind(kind));
  const kernels = await Promise.all(
    names.filter((name) => !name.startsWith(".")).map((name) => readKernel(kernelEntry(cache, name, kind))),
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

/** undefined where there is none, or one of another format. */
async function readKernel(entry: CacheEntry): Promise<Kernel | undefined> {
  return await readKernelIn(entry.path);
}

async function readKernelIn(path: string): Promise<Kernel | undefined> {
  const text = await readFile(join(path, RECORD_FILE), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return "";
    throw error;
  });
  const record = readKernelRecord(text);
  return record?.format === KERNEL_FORMAT ? kernelFrom(path, record) : undefined;
}

/** `CACHE_DAMAGED`, with the commands that make the kernel anew. */
export function cacheDamaged(release: string, file: string, cause?: unknown): SutureError {
  return new SutureError("CACHE_DAMAGED", "a file of a kernel in the cache is not as it was when it was made ready", {
    where: file,
    hint: `suture kernel remove ${release}, and suture kernel fetch ${release}`,
    cause,
  });
}
