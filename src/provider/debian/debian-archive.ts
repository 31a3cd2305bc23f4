/** The archive that apt is configured for here, used without root and without touching the machine's own lists. */
import { readdirSync, statSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import { SutureError } from "../../lib/error.ts";
import { run } from "../../lib/run.ts";

/** A package as the lists describe it: the fields of its stanza. */
export type PackageStanza = Readonly<Record<string, string>>;

/** The archive's binary packages, by lists that were brought up to date when it was opened. */
export interface Archive {
  /** Every version of packages that can be downloaded, the newest first of each. */
  show(...names: readonly string[]): Promise<PackageStanza[]>;
  /** Names that start so. */
  names(start: string): Promise<string[]>;
  /**
   * Downloads one package to the file `path`. Throws `DOWNLOAD_FAILED`.
   * @param onBytes told from time to time how many have come
   */
  download(name: string, version: string, path: string, onBytes?: (bytes: number) => void): Promise<void>;
}

/** By the lists that the machine has; they may be empty or old. */
export function machineArchive(signal?: AbortSignal): Archive {
  return archiveWith([], signal);
}

/** By lists of our own, kept in the cache and brought up to date now. Throws `ARCHIVE_UNREACHABLE`. */
export async function freshArchive(cache: Cache, signal?: AbortSignal): Promise<Archive> {
  const entry = cache.named("apt", "state");
  const options = privateState(entry.path);
  await entry.locked(
    async () => {
      for (const each of ["lists/partial", "cache/archives/partial"]) {
        await mkdir(join(entry.path, each), { recursive: true });
      }
      await updateLists(entry.path, [...OWN_USER, ...options], signal);
    },
    { signal },
  );
  return archiveWith(options, signal);
}

/** By lists of a suite that the machine need not know, kept in a directory. Nothing is brought up to date. */
export function suiteArchive(options: readonly string[], signal?: AbortSignal): Archive {
  return archiveWith(options, signal);
}

/**
 * Several archives as one. A version that is listed by more than one of them is
 * downloaded from the first that has it.
 */
export function joined(archives: readonly Archive[]): Archive {
  return {
    async show(...names) {
      return (await Promise.all(archives.map((each) => each.show(...names)))).flat();
    },
    async names(start) {
      return [...new Set((await Promise.all(archives.map((each) => each.names(start)))).flat())];
    },
    async download(name, version, path, onBytes) {
      let failure: unknown;
      for (const each of archives) {
        const isListed = (await each.show(name)).some((stanza) => stanza["Version"] === version);
        if (!isListed) continue;
        try {
          return await each.download(name, version, path, onBytes);
        } catch (error) {
          if (!(error instanceof SutureError) || error.code !== "DOWNLOAD_FAILED") throw error;
          failure ??= error;
        }
      }
      throw failure ?? downloadFailed(`${name}=${version}`, "E: no list has it", path);
    },
  };
}

/**
 * Brings the lists in a directory up to date; broken ones are downloaded again,
 * all of them. Throws `ARCHIVE_UNREACHABLE`.
 */
export async function updateLists(
  directory: string,
  options: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  // It would remove the digest of the lists while others write it.
  const update = async () => await run("apt-get", [...options, ...NO_DIGEST, "-q", "update"], { signal });
  let updated = await update();
  if (updated.exitCode === 0) return;
  await rm(join(directory, "lists"), { recursive: true, force: true });
  await mkdir(join(directory, "lists/partial"), { recursive: true });
  updated = await update();
  if (updated.exitCode === 0) return;
  throw new SutureError("ARCHIVE_UNREACHABLE", "the lists of the archive cannot be downloaded", {
    where: firstError(updated.stderr),
    hint: "check the network and apt's sources, then try again",
  });
}

/** Milliseconds between two looks at how much has come. */
const LOOK_MS = 250;

/** Lists and downloads are written in directories that apt's own user cannot enter. */
export const OWN_USER = ["-o", "APT::Sandbox::User=root"];

/** Options by which apt keeps lists and downloads in a directory of ours. */
export function privateState(directory: string): string[] {
  return [
    `Dir::State=${join(directory, "state")}`,
    `Dir::State::Lists=${join(directory, "lists")}`,
    "Dir::State::status=/var/lib/dpkg/status",
    `Dir::Cache=${join(directory, "cache")}`,
    "Acquire::Languages=none",
  ]
    .flatMap((option) => ["-o", option])
    .concat(NO_DIGEST);
}

/** apt then reads the lists themselves each time, and writes no digest of them. */
const NO_DIGEST = ["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="];

function archiveWith(state: readonly string[], signal: AbortSignal | undefined): Archive {
  const options = [...OWN_USER, ...state];
  return {
    async show(...names) {
      if (names.length === 0) return [];
      const shown = await run("apt-cache", [...options, "show", "--all-versions", ...names], { signal });
      return shown.exitCode === 0 ? parseStanzas(shown.stdout).filter((stanza) => "Filename" in stanza) : [];
    },
    async names(start) {
      const listed = await run("apt-cache", [...options, "pkgnames", start], { signal });
      return listed.stdout.split("\n").filter((line) => line !== "");
    },
    async download(name, version, path, onBytes) {
      const directory = `${path}.download`;
      await mkdir(directory);
      const timer = onBytes && setInterval(() => onBytes(bytesIn(directory)), LOOK_MS);
      try {
        const spec = `${name}=${version}`;
        const fetched = await run("apt-get", [...options, "-q", "download", spec], { cwd: directory, signal });
        const [file] = (await readdir(directory)).filter((each) => each.endsWith(".deb"));
        if (fetched.exitCode !== 0 || file === undefined) throw downloadFailed(spec, fetched.stderr, directory);
        onBytes?.(bytesIn(directory));
        await rename(join(directory, file), path);
      } finally {
        clearInterval(timer);
        await rm(directory, { recursive: true, force: true });
      }
    },
  };
}

/** apt writes a package under its own name from the first byte on. */
function bytesIn(directory: string): number {
  try {
    return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  } catch {
    return 0;
  }
}

/** The form of Debian's control files: `Field: value`, continued on lines that start with a space. */
export function parseStanzas(text: string): PackageStanza[] {
  return text
    .split(/\n{2,}/)
    .filter((stanza) => stanza.trim() !== "")
    .map((stanza) => {
      const fields: Record<string, string> = {};
      for (const [, name = "", value = ""] of stanza.matchAll(/^([A-Za-z][\w-]*):[ \t]*(.*(?:\n[ \t].*)*)/gm)) {
        fields[name] = value;
      }
      return fields;
    });
}

function downloadFailed(spec: string, words: string, directory: string): SutureError {
  if (/No space left|not have enough free space/.test(words)) {
    return new SutureError("DISK_FULL", `no space left to download ${spec}`, {
      where: directory,
      hint: "make room there, or name a directory on another file system with SUTURE_CACHE",
    });
  }
  return new SutureError("DOWNLOAD_FAILED", `cannot download ${spec} from the archive`, {
    where: firstError(words),
    hint: "check the network, then try again",
  });
}

/** The line of what apt or dpkg said that tells why, at most 300 characters; its last line where none does. */
export function firstError(words: string): string {
  const lines = words.split("\n").filter((line) => /^(E:|Err|W: Failed)/.test(line));
  return (lines[0] ?? words.trim().split("\n").at(-1) ?? "").slice(0, 300);
}
