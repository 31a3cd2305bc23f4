/** Which packages of the archive make up one kernel. */
import { SutureError } from "../../lib/error.ts";
import type { Archive, PackageStanza } from "./debian-archive.ts";

/** A package in the one version that is meant. */
export interface ChosenPackage {
  readonly name: string;
  readonly version: string;
  /** Of the download, bytes. */
  readonly size: number;
}

/** A source package in the one version that is meant. */
export interface SourceName {
  readonly name: string;
  readonly version: string;
}

/** What a package was built from: it says so where that has another name or version, `Source: name (version)`. */
export function sourceOf(stanza: PackageStanza): SourceName {
  const [, name, version] = /^(\S+)(?:\s+\(([^)]+)\))?/.exec(stanza["Source"] ?? "") ?? [];
  return { name: name ?? stanza["Package"] ?? "", version: version ?? stanza["Version"] ?? "" };
}

/** All packages that a kernel is made ready from. */
export interface KernelPackages {
  readonly version: string;
  /** What holds its image and its modules: one package, or, since 6.19, one for each and one for what both need. */
  readonly images: readonly ChosenPackage[];
  readonly headers: ChosenPackage;
  /** objtool and kbuild's other programs; of another revision where the kernel's own has left the archive. */
  readonly kbuild: ChosenPackage;
  readonly source: ChosenPackage;
  /** For a kernel that is built with patches for real time: the source package that has them. */
  readonly realTime: SourceName | undefined;
}

/** The newest version of which all packages are there. Throws `KERNEL_NOT_IN_ARCHIVE` or `PACKAGE_MISSING`. */
export async function choosePackages(archive: Archive, release: string): Promise<KernelPackages> {
  const images = await archive.show(`linux-image-${release}`);
  if (images.length === 0) throw await notInArchive(archive, release);
  let failure: unknown;
  for (const image of images) {
    try {
      return await packagesOf(archive, release, image);
    } catch (error) {
      if (!(error instanceof SutureError) || error.code !== "PACKAGE_MISSING") throw error;
      failure ??= error;
    }
  }
  throw failure;
}

async function packagesOf(archive: Archive, release: string, image: PackageStanza): Promise<KernelPackages> {
  const version = image["Version"] ?? "";
  const ofVersion = async (name: string): Promise<PackageStanza> => {
    const all = await archive.show(name);
    const found = sameVersion(all, version);
    if (found === undefined) throw missing(name, version, all);
    return found;
  };
  const headers = await ofVersion(`linux-headers-${release}`);
  const source = await ofVersion(`linux-source-${seriesOf(version)}`);
  const needed = headers["Depends"] ?? "";
  const kbuildName = /\blinux-kbuild-[^\s,(]+/.exec(needed)?.[0] ?? `linux-kbuild-${seriesOf(version)}`;
  const kbuilds = await archive.show(kbuildName);
  const kbuild = sameVersion(kbuilds, version) ?? kbuilds.at(-1);
  if (kbuild === undefined) throw missing(kbuildName, version, []);
  const parts = ["binary", "modules", "base"].map((part) => `linux-${part}-${release}`);
  const isSplit = (image["Depends"] ?? "").split(/[\s,(|]+/).includes(parts[0] as string);
  const images = isSplit ? await Promise.all(parts.map(ofVersion)) : [image];
  return {
    version,
    images: images.map(chosen),
    headers: chosen(headers),
    kbuild: chosen(kbuild),
    source: chosen(source),
    realTime: /\blinux-headers-\S+-common-rt\b/.test(needed) ? sourceOf(headers) : undefined,
  };
}

/** Whether a package holds a kernel, or leads to the packages that hold one: no meta-package, no debug symbols, nothing that is unsigned beside what is signed. */
export function isKernelImage(stanza: PackageStanza): boolean {
  const name = stanza["Package"] ?? "";
  if (!/^linux-image-\d/.test(name) || /-(dbg|unsigned)$/.test(name)) return false;
  return !/\blinux-image-\d/.test(stanza["Depends"] ?? "") && !/-template$/.test(name);
}

function sameVersion(stanzas: readonly PackageStanza[], version: string): PackageStanza | undefined {
  return stanzas.find((stanza) => stanza["Version"] === version);
}

/** 6.1.192-2 is of the series 6.1. */
function seriesOf(version: string): string {
  return /^\d+\.\d+/.exec(version)?.[0] ?? version;
}

function chosen(stanza: PackageStanza): ChosenPackage {
  return { name: stanza["Package"] ?? "", version: stanza["Version"] ?? "", size: Number(stanza["Size"] ?? 0) };
}

function missing(name: string, version: string, others: readonly PackageStanza[]): SutureError {
  const there = others.map((stanza) => stanza["Version"]).join(", ");
  return new SutureError("PACKAGE_MISSING", `the archive has no ${name} of version ${version}`, {
    where: there === "" ? "it has none of that name" : `it has ${there}`,
    hint: "old versions leave the archive with time: take a newer kernel release, or add snapshot.debian.org to apt's sources",
  });
}

async function notInArchive(archive: Archive, release: string): Promise<SutureError> {
  const start = "linux-image-";
  const flavour = /(?:-cloud|-rt)?-[a-z0-9]+$/.exec(release)?.[0] ?? "";
  const names = (await archive.names(start)).map((name) => name.slice(start.length));
  const near = names
    .filter((name) => /^\d/.test(name) && name.endsWith(flavour) && !/-(dbg|unsigned)$/.test(name))
    .filter((name) => flavour.startsWith("-cloud") || !/-(cloud|rt)-/.test(name))
    .sort((a, b) => common(b, release) - common(a, release) || b.localeCompare(a, "en", { numeric: true }))
    .slice(0, 8);
  return new SutureError("KERNEL_NOT_IN_ARCHIVE", `the archive has no kernel ${release}`, {
    where: `linux-image-${release} is in none of apt's sources`,
    hint: near.length === 0 ? "check apt's sources and the release's name" : `near ones: ${near.join(", ")}`,
  });
}

/** Length of what two names begin with alike. */
function common(a: string, b: string): number {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  return i;
}
