/** A compiler that this machine does not have, out of the suite that has it in the very version. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { archOfHost } from "../../arch/registry.ts";
import { SutureError } from "../../lib/error.ts";
import type { KernelOptions } from "../kernel/kernel-source.ts";
import { type Compiler, findCompiler, toolchainEntry, type WantedCompiler } from "../toolchain/compiler.ts";
import { type PackagedCompiler, packagedCompiler } from "../toolchain/compiler-names.ts";
import { layOutGcc } from "../toolchain/unpacked-gcc.ts";
import type { Archive, PackageStanza } from "./debian-archive.ts";
import { unpackAll, withLibraries } from "./library-packages.ts";
import { askSuites, sameRelease } from "./suites.ts";

/**
 * The compiler that a configuration names: an installed one, one in the cache,
 * or one that is fetched now, for this machine's cache alone. Throws
 * `WRONG_COMPILER` where no suite has it in that version.
 */
export async function compilerFor(wantedCompiler: WantedCompiler, options: KernelOptions): Promise<Compiler> {
  const { cache, signal } = options;
  try {
    return await findCompiler(wantedCompiler, cache, signal);
  } catch (error) {
    const wanted = packagedCompiler(wantedCompiler.compilerText);
    if (!(error instanceof SutureError) || error.code !== "WRONG_COMPILER" || wanted === undefined) throw error;
    const entry = toolchainEntry(cache, wanted);
    const isThere = await entry.locked(async () => entry.exists() || (await fetchCompiler(wanted, options)), {
      signal,
    });
    if (!isThere) throw error;
  }
  return await findCompiler(wantedCompiler, cache, signal);
}

/** False where no suite has that version. */
async function fetchCompiler(wanted: PackagedCompiler, options: KernelOptions): Promise<boolean> {
  const { cache, progress, signal } = options;
  const entry = toolchainEntry(cache, wanted);
  const fetched = await askSuites(options, async (suites) => {
    for (const suite of suites) {
      const archive = sameRelease(suites, suite);
      const packages = await compilerPackages(suite.archive, archive, wanted);
      if (packages === undefined) continue;
      progress.step(`downloading ${wanted.name} ${wanted.version}`);
      await entry.makeDirectory(async (directory) => {
        const unpacked = join(directory, "unpacked");
        await unpackAll(archive, await withLibraries(archive, packages), unpacked, options);
        const { multiarch } = archOfHost().toolchain;
        await layOutGcc({ root: join(unpacked, "root"), major: wanted.major, multiarch }, directory, signal);
        await rm(unpacked, { recursive: true });
      });
      return true;
    }
    return undefined;
  });
  return fetched === true;
}

/**
 * The driver, the compiler proper, their headers and the assembler; undefined
 * where the suite does not have that version.
 */
async function compilerPackages(
  suite: Archive,
  release: Archive,
  { major, version }: PackagedCompiler,
): Promise<PackageStanza[] | undefined> {
  const triple = archOfHost().toolchain.multiarch.replaceAll("_", "-");
  const chosen: PackageStanza[] = [];
  // Since gcc 13 the packages of a compiler are named by what it compiles for.
  for (const [named, plain] of [
    [`gcc-${major}-${triple}`, `gcc-${major}`],
    [`cpp-${major}-${triple}`, `cpp-${major}`],
    [`libgcc-${major}-dev`, undefined],
  ] as const) {
    const ofVersion = async (name: string | undefined) =>
      name === undefined ? undefined : (await suite.show(name)).find((each) => each["Version"] === version);
    const found = (await ofVersion(named)) ?? (await ofVersion(plain));
    if (found === undefined) return undefined;
    chosen.push(found);
  }
  const [assembler] = await release.show(`binutils-${triple}`);
  return assembler === undefined ? undefined : [...chosen, assembler];
}
