/** Which kernels Debian's suites have now, for this machine's architecture, and of which all packages are there. */
import { SutureError } from "../../lib/error.ts";
import type { AvailableKernel, AvailableKernels } from "../available-kernel.ts";
import type { KernelOptions } from "../kernel/kernel-source.ts";
import type { Archive, PackageStanza } from "./debian-archive.ts";
import { choosePackages, isKernelImage } from "./debian-packages.ts";
import { openSuites } from "./suites.ts";

const IMAGE = "linux-image-";
/** What kernels are made ready from. */
const WANTED = /^linux-(image|headers|source|kbuild|binary|modules|base)-\d/;

interface Listed {
  readonly suite: string;
  readonly stanza: PackageStanza;
}

/** By lists that are brought up to date now; the newest kernels last. Nothing is downloaded but lists. */
export async function availableKernels({ cache, progress, signal }: KernelOptions): Promise<AvailableKernels> {
  progress.step("updating the lists of Debian's suites");
  const { suites, dropped } = await openSuites(cache, "new", signal);
  const perSuite = await Promise.all(
    suites.map(async ({ name, archive }): Promise<Listed[]> => {
      const names = (await archive.names("linux-")).filter((each) => WANTED.test(each));
      return (await archive.show(...names)).map((stanza) => ({ suite: name, stanza }));
    }),
  );
  const listed = perSuite.flat();
  const known = archiveOf(listed);
  const releases = listed.filter(({ stanza }) => isKernelImage(stanza)).map(({ stanza }) => releaseOf(stanza));
  const kernels = await Promise.all([...new Set(releases)].map((release) => kernelOf(release, listed, known)));
  return { kernels: kernels.sort(byRelease), dropped };
}

async function kernelOf(release: string, listed: readonly Listed[], known: Archive): Promise<AvailableKernel> {
  const images = listed.filter(({ stanza }) => stanza["Package"] === `${IMAGE}${release}`);
  const flavour = /-(?:([a-z]+)-)?[a-z0-9]+$/.exec(release)?.[1] ?? "plain";
  const suitesOf = (version: string): string[] =>
    images.filter(({ stanza }) => stanza["Version"] === version).map(({ suite }) => suite);
  try {
    const { version } = await choosePackages(known, release);
    return { release, version, suites: suitesOf(version), flavour, missing: undefined };
  } catch (error) {
    if (!(error instanceof SutureError) || error.code !== "PACKAGE_MISSING") throw error;
    const version = images[0]?.stanza["Version"] ?? "";
    return { release, version, suites: suitesOf(version), flavour, missing: error.message };
  }
}

/** What is listed, as an archive of which nothing is downloaded. */
function archiveOf(listed: readonly Listed[]): Archive {
  const byName = new Map<string, PackageStanza[]>();
  for (const { stanza } of listed) {
    const name = stanza["Package"] ?? "";
    byName.set(name, [...(byName.get(name) ?? []), stanza]);
  }
  return {
    show: async (...names) => names.flatMap((name) => byName.get(name) ?? []),
    names: async (start) => [...byName.keys()].filter((name) => name.startsWith(start)),
    download: async () => {
      throw new Error("a list is no place to download from");
    },
  };
}

function releaseOf(stanza: PackageStanza): string {
  return (stanza["Package"] ?? "").slice(IMAGE.length);
}

function byRelease(a: AvailableKernel, b: AvailableKernel): number {
  return a.release.localeCompare(b.release, "en", { numeric: true });
}
