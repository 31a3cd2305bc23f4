/** Source packages from the archive that apt is configured for, by lists of our own: what the machine has in /etc stays as it is. */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import { SutureError } from "../../lib/error.ts";
import { run } from "../../lib/run.ts";
import { firstError, OWN_USER, type PackageStanza, parseStanzas, privateState, updateLists } from "./debian-archive.ts";

/** The archive's source packages, by lists that were brought up to date when it was opened. */
export interface SourceArchive {
  /** Options for apt, which make it use our lists. */
  readonly options: readonly string[];
  /** Every version of a source package, or of the source of a package, the newest first. */
  sources(name: string): Promise<PackageStanza[]>;
  /** Unpacks a source package in the directory, its patches applied. Throws `DOWNLOAD_FAILED`. */
  unpack(name: string, version: string, directory: string): Promise<void>;
}

/** Brings the lists up to date. Throws `ARCHIVE_UNREACHABLE`. */
export async function sourceArchive(cache: Cache, signal: AbortSignal | undefined): Promise<SourceArchive> {
  const entry = cache.named("apt", "sources");
  const options = [
    ...OWN_USER,
    ...privateState(entry.path),
    ...["-o", `Dir::Etc::SourceList=${join(entry.path, "sources.list")}`],
    ...["-o", `Dir::Etc::SourceParts=${join(entry.path, "sources.list.d")}`],
  ];
  await entry.locked(
    async () => {
      for (const each of ["lists/partial", "cache/archives/partial", "state"])
        await mkdir(join(entry.path, each), { recursive: true });
      await copySources(entry.path);
      await updateLists(entry.path, options, signal);
    },
    { signal },
  );
  return {
    options,
    async sources(name) {
      const shown = await run("apt-cache", [...options, "showsrc", name], { signal });
      const all = shown.exitCode === 0 ? parseStanzas(shown.stdout) : [];
      const order = await newestFirst(
        all.map((stanza) => stanza["Version"] ?? ""),
        signal,
      );
      return all.toSorted((a, b) => order.indexOf(a["Version"] ?? "") - order.indexOf(b["Version"] ?? ""));
    },
    async unpack(name, version, directory) {
      const spec = `${name}=${version}`;
      const args = [...options, "-q", "--only-source", "source", spec];
      const fetched = await run("apt-get", args, { cwd: directory, signal });
      if (fetched.exitCode === 0) return;
      throw new SutureError("DOWNLOAD_FAILED", `cannot get the source ${spec} from the archive`, {
        where: firstError(fetched.stderr),
        hint: "the archive may have dropped it: upgrade the package to the version that is there now, or add snapshot.debian.org to apt's sources",
      });
    },
  };
}

/** The machine's sources of packages, with the sources of the same places. */
async function copySources(directory: string): Promise<void> {
  const parts = join(directory, "sources.list.d");
  await rm(parts, { recursive: true, force: true });
  await mkdir(parts);
  const names = (await readdir("/etc/apt/sources.list.d").catch(() => [])).filter((name) =>
    /\.(list|sources)$/.test(name),
  );
  await writeFile(join(directory, "sources.list"), withSources(await textOf("/etc/apt/sources.list"), "list"));
  for (const name of names) {
    const text = await textOf(`/etc/apt/sources.list.d/${name}`);
    await writeFile(join(parts, name), withSources(text, name.endsWith(".sources") ? "sources" : "list"));
  }
}

async function textOf(path: string): Promise<string> {
  return await readFile(path, "utf8").catch(() => "");
}

/** Both forms of sources.list(5). */
export function withSources(text: string, form: "list" | "sources"): string {
  if (form === "sources") return text.replace(/^Types:.*$/gim, "Types: deb deb-src");
  const binary = [...text.matchAll(/^[ \t]*deb[ \t]+(.*)$/gm)].map(([, rest]) => rest as string);
  return [...binary.map((rest) => `deb ${rest}`), ...binary.map((rest) => `deb-src ${rest}`), ""].join("\n");
}

/** Each once, by dpkg's order. */
export async function newestFirst(versions: readonly string[], signal: AbortSignal | undefined): Promise<string[]> {
  const sorted: string[] = [];
  for (const version of new Set(versions)) {
    let at = 0;
    for (; at < sorted.length; at++) {
      const compared = await run("dpkg", ["--compare-versions", version, "gt", sorted[at] as string], { signal });
      if (compared.exitCode === 0) break;
    }
    sorted.splice(at, 0, version);
  }
  return sorted;
}
