/** Source trees of Debian's kernel packages, unpacked in the cache. */

import type { Cache } from "../../src/lib/cache.ts";
import type { Progress } from "../../src/lib/progress.ts";
import { type Archive, freshArchive, joined, machineArchive } from "../../src/provider/debian/debian-archive.ts";
import { sourceOf } from "../../src/provider/debian/debian-packages.ts";
import { applyPatches, realTimePatches } from "../../src/provider/debian/real-time-patches.ts";
import { askSuites } from "../../src/provider/debian/suites.ts";
import { unpackSource } from "../../src/provider/debian/unpack-packages.ts";
import type { KernelOptions } from "../../src/provider/kernel/kernel-source.ts";

export interface StockSource {
  /** For instance linux-source-6.1. */
  readonly name: string;
  readonly version: string;
  /** With the patches that -rt kernels have, where that version has any. */
  readonly realTime?: boolean;
}

/** The directory of the tree, without the parts `leftOut`; downloaded and unpacked on first use. */
export async function openStockSource(
  { name, version, realTime = false }: StockSource,
  leftOut: readonly string[],
  cache: Cache,
  progress: Progress,
): Promise<string> {
  const tree = cache.named("sources", `${name}_${version}${realTime ? "_rt" : ""}`);
  if (tree.exists()) return tree.path;
  const deb = await cache.named("packages", `${name}_${version}.deb`).file(async (path) => {
    progress.step(`downloading ${name} ${version}`);
    await (await archiveWith(name, version, { cache, progress })).download(name, version, path);
  });
  progress.step(`unpacking ${name} ${version}`);
  await tree.makeDirectory(async (path) => {
    await unpackSource(deb, path, leftOut);
    if (!realTime) return;
    const options = { cache, progress };
    const listed = await (await archiveWith(name, version, options)).show(name);
    const stanza = listed.find((each) => each["Version"] === version);
    const patches = await realTimePatches(sourceOf(stanza ?? {}), `${path}.packaging`, options);
    await applyPatches(patches, path, leftOut);
  });
  progress.done();
  return tree.path;
}

async function archiveWith(name: string, version: string, options: KernelOptions): Promise<Archive> {
  const isListed = async (archive: Archive): Promise<boolean> =>
    (await archive.show(name)).some((stanza) => stanza["Version"] === version);
  const machine = machineArchive();
  if (await isListed(machine)) return machine;
  const inSuites = await askSuites(options, async (suites) => {
    const all = joined(suites.map(({ archive }) => archive));
    return (await isListed(all)) ? all : undefined;
  });
  return inSuites ?? (await freshArchive(options.cache));
}
