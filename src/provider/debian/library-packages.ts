/** Packages with all that they need of libraries, unpacked and not installed. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { mapParallel } from "../../lib/parallel.ts";
import type { KernelOptions } from "../kernel/kernel-source.ts";
import type { Archive, PackageStanza } from "./debian-archive.ts";
import { unpackPackage } from "./unpack-packages.ts";

const AT_ONCE = 4;

/** Libraries that programs are run with; no headers, no data, and none for debugging what was compiled. */
const LIBRARY = /^(lib[\w.+-]+|zlib1g)$/;
const NO_LIBRARY =
  /-(dev|data|common|bin|doc|dbg)$|^lib(asan|tsan|ubsan|lsan|hwasan|gomp|itm|atomic|quadmath|cc1|gcc-\d)/;

/**
 * The packages, and the libraries that they depend on, each in the version that
 * the archive shows first.
 */
export async function withLibraries(archive: Archive, stanzas: readonly PackageStanza[]): Promise<PackageStanza[]> {
  const chosen = new Map(stanzas.map((each) => [each["Package"] ?? "", each]));
  const asked = new Set(chosen.keys());
  let last = stanzas;
  while (last.length > 0) {
    const names = [...new Set(last.flatMap(librariesOf))].filter((name) => !asked.has(name));
    const all = await archive.show(...names);
    for (const name of names) asked.add(name);
    last = names.map((name) => all.find((each) => each["Package"] === name)).filter((each) => each !== undefined);
    for (const each of last) chosen.set(each["Package"] ?? "", each);
  }
  return [...chosen.values()];
}

/** What it depends on by name; of alternatives the first. */
function librariesOf(stanza: PackageStanza): string[] {
  const all = `${stanza["Depends"] ?? ""},${stanza["Pre-Depends"] ?? ""}`.split(",");
  return all
    .map((each) => each.trim().split(/[\s(|:]/, 1)[0] ?? "")
    .filter((name) => LIBRARY.test(name) && !NO_LIBRARY.test(name));
}

/** Downloads packages, and unpacks them all below one directory; nothing of the downloads is kept. */
export async function unpackAll(
  archive: Archive,
  stanzas: readonly PackageStanza[],
  directory: string,
  { progress, signal }: Pick<KernelOptions, "progress" | "signal">,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const total = stanzas.reduce((sum, each) => sum + Number(each["Size"] ?? 0), 0);
  let come = 0;
  const debs = await mapParallel(
    stanzas,
    AT_ONCE,
    async (stanza) => {
      const [name = "", version = ""] = [stanza["Package"], stanza["Version"]];
      const deb = join(directory, `${name}.deb`);
      await archive.download(name, version, deb);
      come += Number(stanza["Size"] ?? 0);
      progress.tick(Math.floor(come / 1e6), Math.ceil(total / 1e6), "MB");
      return deb;
    },
    signal,
  );
  // One after the other: two packages may bring the same directory.
  for (const deb of debs) await unpackPackage(deb, join(directory, "root"), signal);
}
