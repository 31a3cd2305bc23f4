/** A Debian source package, unpacked and built once by its own build, with every compile noted. */
import { readdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { CacheEntry } from "../../lib/cache-entry.ts";
import { SutureError } from "../../lib/error.ts";
import type { CompileCommand } from "../program/command-line.ts";
import type { OpenOptions } from "../program/open-options.ts";
import type { ShippedFile, SourcePackage } from "../program/source-package.ts";
import { buildSource } from "./build-source.ts";
import type { PackageStanza } from "./debian-archive.ts";
import { programsOf } from "./installed-package.ts";
import { shippedPrograms, unpackShipped } from "./shipped-files.ts";
import { type SourceArchive, sourceArchive } from "./source-archive.ts";
import { entryOf, type WantedSource, wantedSources } from "./wanted-source.ts";

/** To be raised when the same source gives another record, with the name of the directory (`entryOf`). */
const FORMAT = 3;

interface SourceRecord {
  readonly format: number;
  readonly name: string;
  readonly version: string;
  /** Name of the source's directory. */
  readonly tree: string;
  /** Where all this lay when it was built: paths in `commands` start with it. */
  readonly builtAt: string;
  readonly commands: readonly CompileCommand[];
}

const RECORD = "source.json";
/** In a source's directory: what ships, unpacked, where it is not installed. */
export const SHIPPED = "shipped";

/**
 * The source of what is installed, or of the newest version in the archive where
 * nothing is, or of the version named as apt does, `name=version`; made ready on
 * first use, and kept. Throws `PACKAGE_UNKNOWN`,
 * `SOURCE_NOT_IN_ARCHIVE`, `BUILD_DEPENDENCIES_MISSING`, `BUILD_FAILED`.
 */
export async function openSourcePackage(spec: string, options: OpenOptions): Promise<SourcePackage> {
  const { signal } = options;
  const choices = await wantedSources(spec, options);
  const { wanted, entry, record } = await firstThatIsThere(choices, options);
  const files = await filesOf(wanted, join(entry.path, SHIPPED), signal);
  if (files.length === 0)
    throw new SutureError(
      "PACKAGE_WITHOUT_PROGRAMS",
      `no package of ${wanted.source} that is here has a program or library`,
      {
        where: wanted.installed.join(", "),
        hint: "install the package whose program runs, or name the file with --exe",
      },
    );
  return {
    name: record.name,
    version: record.version,
    tree: join(entry.path, record.tree),
    commands: record.commands,
    files,
  };
}

/** Executables and libraries that ship: as installed, else as unpacked below `shipped`. */
async function filesOf(
  { installed }: WantedSource,
  shipped: string,
  signal: AbortSignal | undefined,
): Promise<ShippedFile[]> {
  if (installed.length === 0) return shippedPrograms(shipped);
  const paths = await Promise.all(installed.map((each) => programsOf(each, signal)));
  return paths.flat().map((path) => ({ path, file: path }));
}

/** The archive may list a version whose files it does not have: then the one before it. */
async function firstThatIsThere(choices: readonly WantedSource[], options: OpenOptions) {
  const { cache, progress, signal } = options;
  let archive: SourceArchive | undefined;
  for (const [i, wanted] of choices.entries()) {
    const entry = entryOf(cache, wanted);
    const kept = await readRecord(entry);
    if (kept !== undefined) return { wanted, entry, record: kept };
    archive ??= await sourceArchive(cache, signal);
    try {
      return { wanted, entry, record: await make(entry, wanted, archive, options) };
    } catch (error) {
      const isGone = error instanceof SutureError && error.code === "DOWNLOAD_FAILED";
      if (!isGone || i + 1 === choices.length) throw error;
      progress.note(
        `${wanted.source} ${wanted.version} is listed and cannot be downloaded: taking the version before it`,
      );
    }
  }
  throw new Error("no source was chosen");
}

async function readRecord(entry: CacheEntry): Promise<SourceRecord | undefined> {
  let text: string;
  try {
    text = await readFile(join(entry.path, RECORD), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const { builtAt } = JSON.parse(text) as SourceRecord;
  const record = JSON.parse(text.replaceAll(builtAt, entry.path)) as SourceRecord;
  return record.format === FORMAT ? record : undefined;
}

async function make(
  entry: CacheEntry,
  wanted: WantedSource,
  archive: SourceArchive,
  options: OpenOptions,
): Promise<SourceRecord> {
  const { signal, progress } = options;
  return await entry.locked(
    async () => {
      const made = await readRecord(entry);
      if (made !== undefined) return made;
      if (entry.exists()) await entry.remove();
      await entry.makeDirectory(async (directory) => {
        const stanza = await stanzaOf(archive, wanted);
        progress.step(`get the source of ${wanted.source} ${wanted.version}`);
        await archive.unpack(wanted.source, wanted.version, directory);
        const tree = unpackedTree(directory, wanted);
        if (wanted.installed.length === 0) await unpackShipped(stanza, join(directory, SHIPPED), options);
        const shipped = await filesOf(wanted, join(directory, SHIPPED), signal);
        const commands = await buildSource(join(directory, tree), {
          ...options,
          name: `${wanted.source} ${wanted.version}`,
          archive,
          jobs: availableParallelism(),
          log: `${entry.path}.log`,
          shipped: shipped.map(({ file }) => file),
        });
        const record: SourceRecord = {
          format: FORMAT,
          name: wanted.source,
          version: wanted.version,
          tree,
          builtAt: directory,
          commands,
        };
        await writeFile(join(directory, RECORD), `${JSON.stringify(record, undefined, 1)}\n`);
      });
      const record = await readRecord(entry);
      if (record === undefined) throw new Error(`${entry.path} was made and cannot be read`);
      return record;
    },
    { signal },
  );
}

/** Throws `SOURCE_NOT_IN_ARCHIVE`. */
export async function stanzaOf(
  archive: SourceArchive,
  { source, version }: Pick<WantedSource, "source" | "version">,
): Promise<PackageStanza> {
  const all = await archive.sources(source);
  const found = all.find((stanza) => stanza["Version"] === version);
  if (found !== undefined) return found;
  const there = all.map((stanza) => stanza["Version"]).join(", ");
  throw new SutureError("SOURCE_NOT_IN_ARCHIVE", `the archive has no source of ${source} ${version}`, {
    where: there === "" ? "it has no source of that name" : `it has ${there}`,
    hint: "old versions leave the archive with time: upgrade the package to one that is there, or add snapshot.debian.org to apt's sources",
  });
}

function unpackedTree(directory: string, { source, version }: WantedSource): string {
  const [tree] = readdirSync(directory, { withFileTypes: true }).filter((each) => each.isDirectory());
  if (tree !== undefined) return tree.name;
  throw new SutureError("SOURCE_UNUSABLE", `the source of ${source} ${version} holds no directory`, {
    where: directory,
  });
}
