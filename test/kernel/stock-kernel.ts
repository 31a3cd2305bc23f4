/** Debian 12's stock kernels for the tests that boot one, whichever release of Debian they run on. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Cache } from "../../src/lib/cache.ts";
import { silentProgress } from "../../src/lib/progress.ts";
import { type Archive, freshArchive, joined } from "../../src/provider/debian/debian-archive.ts";
import { askSuites } from "../../src/provider/debian/suites.ts";
import { unpackPackage } from "../../src/provider/debian/unpack-packages.ts";
import type { RehearsalKernel } from "../../src/rehearse/rehearse.ts";

/** A kernel that boots, and for which modules can be made. */
export interface StockKernel extends RehearsalKernel {
  /** The build directory of its headers. */
  readonly headers: string;
}

export type Series = "6.1" | "6.12";

interface Found {
  readonly archive: Archive;
  readonly release: string;
  readonly version: string;
}

/** The newest stock kernel of a series in the archive, unpacked in the cache. */
export async function stockKernel(series: Series): Promise<StockKernel> {
  const cache = new Cache();
  const { archive, release, version } = await foundIn(cache, series);
  const entry = cache.named("test-kernels", release);
  await entry.locked(async () => {
    if (!entry.exists())
      await entry.makeDirectory((directory) => unpack(archive, release, version, directory, entry.path));
  });
  return {
    release,
    image: join(entry.path, "boot", `vmlinuz-${release}`),
    modules: join(entry.path, "lib/modules", release),
    headers: join(entry.path, "usr/src", `linux-headers-${release}`),
  };
}

/** In the machine's own archive where it is Debian 12, else in that release's. */
async function foundIn(cache: Cache, series: Series): Promise<Found> {
  const own = await newest(await freshArchive(cache), series);
  if (own !== undefined) return own;
  const options = { cache, progress: silentProgress, signal: undefined };
  const found = await askSuites(options, async (suites) => {
    const archives = suites.filter(({ release }) => release === "bookworm").map(({ archive }) => archive);
    return await newest(joined(archives), series);
  });
  if (found === undefined) throw new Error(`the archive has no stock kernel ${series} with its headers`);
  return found;
}

async function newest(archive: Archive, series: Series): Promise<Found | undefined> {
  const names = await archive.names(`linux-image-${series}.`);
  const releases = names
    .map((name) => name.slice("linux-image-".length))
    .filter((name) => /^[\d.]+(-\d+|\+deb12)-cloud-amd64$/.test(name))
    .sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
  for (const release of releases) {
    const [image] = await archive.show(`linux-image-${release}`);
    const headers = await archive.show(`linux-headers-${release}`);
    const version = image?.["Version"];
    if (version !== undefined && headers.some((each) => each["Version"] === version))
      return { archive, release, version };
  }
  return undefined;
}

async function unpack(archive: Archive, release: string, version: string, to: string, final: string): Promise<void> {
  const debs = join(to, "debs");
  await mkdir(debs);
  const headers = (await archive.show(`linux-headers-${release}`)).find((each) => each["Version"] === version);
  const needed = [...(headers?.["Depends"] ?? "").matchAll(/\blinux-(?:headers|kbuild)-[^\s,(]+/g)].map(
    ([name]) => name,
  );
  for (const name of [`linux-image-${release}`, `linux-headers-${release}`, ...needed]) {
    const shown = await archive.show(name);
    const chosen = shown.find((each) => each["Version"] === version) ?? shown[0];
    const deb = join(debs, `${name}.deb`);
    await archive.download(name, chosen?.["Version"] ?? version, deb);
    await unpackPackage(deb, to);
  }
  await relocate(to, release, final);
}

/** The headers name each other by absolute paths below /usr. */
async function relocate(directory: string, release: string, final: string): Promise<void> {
  const makefile = join(directory, "usr/src", `linux-headers-${release}`, "Makefile");
  const text = await readFile(makefile, "utf8");
  await writeFile(makefile, text.replace(/^include \/usr\//m, `include ${final}/usr/`));
  const sources = await readdir(join(directory, "usr/lib"));
  if (!sources.some((name) => name.startsWith("linux-kbuild-"))) throw new Error("no kbuild was unpacked");
}
