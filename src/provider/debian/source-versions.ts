/** Debian's versions of a source package, and the patches by name that each carries. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { SutureError } from "../../lib/error.ts";
import { run } from "../../lib/run.ts";
import type { OpenOptions } from "../program/open-options.ts";
import type { ShippedFile } from "../program/source-package.ts";
import type { PackageVersions, SourcePatch, SourceVersions } from "../program/source-versions.ts";
import { firstError } from "./debian-archive.ts";
import { installedPackages, installedSources, programsOf } from "./installed-package.ts";
import { shippedPrograms, unpackShipped } from "./shipped-files.ts";
import { newestFirst, type SourceArchive, sourceArchive } from "./source-archive.ts";
import { SHIPPED, stanzaOf } from "./source-package.ts";
import { entryOf } from "./wanted-source.ts";

/** By lists that are brought up to date now. Throws `ARCHIVE_UNREACHABLE`. */
export async function packageVersions(options: OpenOptions): Promise<PackageVersions> {
  const archive = await sourceArchive(options.cache, options.signal);
  return {
    of: (name) => versionsOf(name, archive, options),
    sourcesOf: (paths) => installedSources(paths, options.signal),
  };
}

async function versionsOf(name: string, archive: SourceArchive, options: OpenOptions): Promise<SourceVersions> {
  const { signal } = options;
  const installed = await installedPackages(name, signal);
  const source = installed[0]?.source ?? name;
  const stanzas = await archive.sources(source);
  const own = stanzas[0]?.["Package"] ?? source;
  const there = installed[0]?.sourceVersion;
  const versions = await newestFirst(
    [...stanzas.map((stanza) => stanza["Version"] ?? ""), ...(there === undefined ? [] : [there])],
    signal,
  );
  if (versions.length === 0)
    throw new SutureError("PACKAGE_UNKNOWN", `neither this machine nor the archive has a package or source ${name}`, {
      where: "apt's sources",
      hint: "give the name of an installed package, or of a source package",
    });
  return {
    name: own,
    versions,
    installed: there,
    upstreamOf: (version) => version.replace(/^\d+:/, "").replace(/-[^-]*$/, ""),
    patches: (version) => patchesOf({ source: own, version }, archive, options),
    async files(version) {
      const same = installed.filter((each) => each.sourceVersion === version);
      if (same.length === 0) return await archiveFiles({ source: own, version }, archive, options);
      const paths = await Promise.all(same.map((each) => programsOf(each.name, signal)));
      return paths.flat().map((path) => ({ path, file: path }));
    },
    spec: (version) => `${own}=${version}`,
  };
}

interface Version {
  readonly source: string;
  readonly version: string;
}

/** Kept in the cache: a version's patches never change. */
async function patchesOf(
  { source, version }: Version,
  archive: SourceArchive,
  { cache, progress, signal }: OpenOptions,
): Promise<SourcePatch[]> {
  const entry = cache.named("patches", `${source}_${plain(version)}`);
  if (!entry.exists()) {
    progress.step(`get the patches of ${source} ${version}`);
    await entry.makeDirectory(async (directory) => {
      const args = [
        ...archive.options,
        "-q",
        "--only-source",
        "--diff-only",
        "--download-only",
        "source",
        `${source}=${version}`,
      ];
      const fetched = await run("apt-get", args, { cwd: directory, signal });
      const [packed] = (await readdir(directory)).filter((each) => each.includes(".debian.tar."));
      if (fetched.exitCode !== 0 || packed === undefined)
        throw noPatches({ source, version }, firstError(fetched.stderr));
      await run("tar", ["-xf", packed, "debian"], { cwd: directory, check: true, signal });
      await mkdir(join(directory, "debian/patches"), { recursive: true });
    });
  }
  const patches = join(entry.path, "debian/patches");
  if (!existsSync(join(patches, "series"))) return [];
  const names = namesIn(await readFile(join(patches, "series"), "utf8"));
  return await Promise.all(names.map(async (name) => ({ name, data: await readFile(join(patches, name)) })));
}

/** quilt(1): comments and options behind a name are none of it. */
function namesIn(series: string): string[] {
  return series
    .split("\n")
    .map(
      (line) =>
        line
          .replace(/(^|\s)#.*$/, "")
          .trim()
          .split(/\s+/)[0] ?? "",
    )
    .filter((name) => name !== "");
}

function noPatches({ source, version }: Version, said: string): SutureError {
  return new SutureError("SOURCE_NOT_IN_ARCHIVE", `the archive has no patches by name of ${source} ${version}`, {
    where: said === "" ? "its source package is none of upstream's source and Debian's patches" : said,
    hint: "old versions leave the archive with time: add snapshot.debian.org to apt's sources",
  });
}

async function archiveFiles(
  { source, version }: Version,
  archive: SourceArchive,
  options: OpenOptions,
): Promise<ShippedFile[]> {
  const made = join(entryOf(options.cache, { source, version, installed: [] }).path, SHIPPED);
  if (existsSync(made)) return shippedPrograms(made);
  const entry = options.cache.named("shipped", `${source}_${plain(version)}`);
  if (!entry.exists()) {
    const stanza = await stanzaOf(archive, { source, version });
    await entry.makeDirectory(async (directory) => await unpackShipped(stanza, join(directory, SHIPPED), options));
  }
  const shipped = join(entry.path, SHIPPED);
  return existsSync(shipped) ? shippedPrograms(shipped) : [];
}

function plain(version: string): string {
  return version.replace(/^\d+:/, "").replaceAll("~", "_");
}
