/** Which version of which source package is meant. */
import type { Cache } from "../../lib/cache.ts";
import type { CacheEntry } from "../../lib/cache-entry.ts";
import { SutureError } from "../../lib/error.ts";
import type { OpenOptions } from "../program/open-options.ts";
import { type InstalledPackage, installedPackages } from "./installed-package.ts";
import { sourceArchive } from "./source-archive.ts";

/** A source package in the one version that is meant. */
export interface WantedSource {
  readonly source: string;
  readonly version: string;
  /** Installed binary packages of just this version; none where it is not installed. */
  readonly installed: readonly string[];
}

/**
 * Of what is installed its version; else those of the archive, the newest first.
 * `NAME=VERSION` is that version. Throws `PACKAGE_UNKNOWN`.
 */
export async function wantedSources(spec: string, { cache, signal }: OpenOptions): Promise<WantedSource[]> {
  const [name = "", version] = spec.split("=", 2);
  const all = await installedPackages(name, signal);
  const [first] = version === undefined ? all : all.filter(({ sourceVersion }) => sourceVersion === version);
  if (first !== undefined) return [ofInstalled(first, all)];
  const [other] = all;
  if (version !== undefined && other !== undefined) return [{ source: other.source, version, installed: [] }];
  if (version !== undefined) {
    const named = { source: name, version, installed: [] };
    if (entryOf(cache, named).exists()) return [named];
  }
  const archive = await sourceArchive(cache, signal);
  const stanzas = await archive.sources(name);
  const inArchive = stanzas.map((stanza) => ({
    source: stanza["Package"] ?? name,
    version: stanza["Version"] ?? "",
    installed: [],
  }));
  if (inArchive.length === 0)
    throw new SutureError("PACKAGE_UNKNOWN", `neither this machine nor the archive has a package or source ${name}`, {
      where: "apt's sources",
      hint: "give the name of an installed package, or of a source package",
    });
  if (version === undefined) return inArchive;
  return [{ source: inArchive[0]?.source ?? name, version, installed: [] }];
}

function ofInstalled({ source, sourceVersion }: InstalledPackage, all: readonly InstalledPackage[]): WantedSource {
  const same = all.filter((each) => each.sourceVersion === sourceVersion);
  return { source, version: sourceVersion, installed: same.map((each) => each.name) };
}

/** Where it is kept when it has been made ready. */
export function entryOf(cache: Cache, { source, version, installed }: WantedSource): CacheEntry {
  const plain = version.replace(/^\d+:/, "").replaceAll("~", "_");
  return cache.named("programs", `${source}_${plain}${installed.length === 0 ? "_archive" : ""}`);
}
