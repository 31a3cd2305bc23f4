/** A Debian source package, unpacked and built once by its own build, with every compile noted. */
import { lstatSync, readdirSync, realpathSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import type { CacheEntry } from "../../lib/cache-entry.ts";
import { SutureError } from "../../lib/error.ts";
import type { CompileCommand } from "../program/command-line.ts";
import { inside } from "../program/moved-command.ts";
import type { OpenOptions } from "../program/open-options.ts";
import type { SourcePackage } from "../program/source-package.ts";
import { buildSource } from "./build-source.ts";
import { freshArchive, type PackageStanza } from "./debian-archive.ts";
import { isProgram, programsOf } from "./installed-package.ts";
import { type SourceArchive, sourceArchive } from "./source-archive.ts";
import { unpackPackage } from "./unpack-packages.ts";
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
const SHIPPED = "shipped";

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
): Promise<{ path: string; file: string }[]> {
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
        if (wanted.installed.length === 0) await unpackShipped(stanza, directory, options);
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

async function stanzaOf(archive: SourceArchive, { source, version }: WantedSource): Promise<PackageStanza> {
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

/** The binary packages of the source that programs or libraries are in, unpacked and not installed. */
async function unpackShipped(
  stanza: PackageStanza,
  directory: string,
  { cache, progress, signal }: OpenOptions,
): Promise<void> {
  const archive = await freshArchive(cache, signal);
  const names = (stanza["Binary"] ?? "")
    .split(/[\s,]+/)
    .filter((name) => name !== "" && !/-(doc|dev|dbg|dbgsym)$/.test(name));
  const shipped = join(directory, SHIPPED);
  const wanted = stanza["Version"] ?? "";
  for (const name of names) {
    const found = (await archive.show(name)).find((each) => sourceVersionOf(each) === wanted);
    const isNeeded = found?.["Architecture"] === "amd64";
    if (found === undefined || !isNeeded) continue;
    progress.step(`get ${name}`);
    const deb = join(directory, `${name}.deb`);
    await archive.download(name, found["Version"] ?? "", deb);
    await unpackPackage(deb, shipped, signal);
  }
}

/** Executables and libraries; of several names for one file the first is the one that users know: a package's, the plainest. */
function shippedPrograms(root: string): { path: string; file: string }[] {
  // Debian's policy, 12.5: every package has a directory of its name there.
  const packages = new Set(readdirSync(join(root, "usr/share/doc")));
  const rank = ({ path, file }: { path: string; file: string }): number => {
    if (packages.has(basename(path))) return 0;
    return lstatSync(file).isSymbolicLink() ? 2 : 1;
  };
  return [...filesBelow(root, "")]
    .map((path) => ({ path, file: join(root, path) }))
    .filter(({ file }) => isProgram(file) && inside(realpathSync(file), realpathSync(root)) !== undefined)
    .toSorted((a, b) => rank(a) - rank(b) || a.path.length - b.path.length || (a.path < b.path ? -1 : 1));
}

/** A package whose version differs from its source's says so: `Source: name (version)`. */
function sourceVersionOf(stanza: PackageStanza): string {
  const version = stanza["Version"] ?? "";
  return /\(([^)]+)\)/.exec(stanza["Source"] ?? "")?.[1] ?? version.replace(/\+b\d+$/, "");
}

function* filesBelow(root: string, below: string): Generator<string> {
  for (const each of readdirSync(join(root, below), { withFileTypes: true })) {
    const path = `${below}/${each.name}`;
    if (each.isDirectory()) yield* filesBelow(root, path);
    else if (each.isFile() || each.isSymbolicLink()) yield path;
  }
}
