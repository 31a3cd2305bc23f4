/** Source trees of Debian's kernel packages, unpacked in the cache. */

import type { Cache } from "../../src/lib/cache.ts";
import type { Progress } from "../../src/lib/progress.ts";
import { type Archive, freshArchive, machineArchive } from "../../src/provider/debian/debian-archive.ts";
import { unpackSource } from "../../src/provider/debian/unpack-packages.ts";

export interface StockSource {
  /** For instance linux-source-6.1. */
  readonly name: string;
  readonly version: string;
}

/** The directory of the tree, without the parts `leftOut`; downloaded and unpacked on first use. */
export async function openStockSource(
  { name, version }: StockSource,
  leftOut: readonly string[],
  cache: Cache,
  progress: Progress,
): Promise<string> {
  const tree = cache.named("sources", `${name}_${version}`);
  if (tree.exists()) return tree.path;
  const deb = await cache.named("packages", `${name}_${version}.deb`).file(async (path) => {
    progress.step(`downloading ${name} ${version}`);
    await (await archiveWith(name, version, cache)).download(name, version, path);
  });
  progress.step(`unpacking ${name} ${version}`);
  await tree.makeDirectory((path) => unpackSource(deb, path, leftOut));
  progress.done();
  return tree.path;
}

async function archiveWith(name: string, version: string, cache: Cache): Promise<Archive> {
  const machine = machineArchive();
  const known = (await machine.show(name)).some((stanza) => stanza["Version"] === version);
  return known ? machine : await freshArchive(cache);
}
