import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cache } from "../../src/lib/cache.ts";
import { run } from "../../src/lib/run.ts";
import { temporaryDirectory } from "../../src/lib/temp.ts";
import { freshArchive, OWN_USER, privateState, updateLists } from "../../src/provider/debian/debian-archive.ts";

/** To be raised when the same packages are made into another tree. */
const RECIPE = "1";

/** A tar archive of all files. */
export interface DebianRoot {
  readonly tar: string;
  /** All packages in it with their versions, a line each. */
  readonly packages: string;
}

/**
 * The root of a release of Debian with these packages and all that they need; made once for their versions.
 *
 * @param suite default: the machine's own release
 */
export async function debianRoot(cache: Cache, wanted: readonly string[], suite?: string): Promise<DebianRoot> {
  await freshArchive(cache);
  const own = [...OWN_USER, ...privateState(cache.named("apt", "state").path)];
  const ownSources = await debianSources(own);
  const isOwn = suite === undefined || suite === suiteOf(ownSources);
  const sources = isOwn ? ownSources : sourcesOf(suite, ownSources);
  const packages = await versions(isOwn ? own : await listsOf(cache, suite, sources), wanted);
  const entry = cache.entry("machine-roots", [RECIPE, packages]);
  const tar = join(entry.path, "root.tar");
  await entry.locked(async () => {
    if (entry.exists()) return;
    await entry.makeDirectory(async (directory) => {
      await bootstrap(sources, wanted, join(directory, "root.tar"));
    });
  });
  return { tar, packages };
}

/** Options by which apt knows these places alone, by lists that are up to date. */
async function listsOf(cache: Cache, suite: string, sources: readonly Source[]): Promise<string[]> {
  const entry = cache.named("apt", `root-${suite}`);
  const list = join(entry.path, "sources.list");
  const elsewhere = [
    "-o",
    `Dir::Etc::SourceList=${list}`,
    "-o",
    `Dir::Etc::SourceParts=${join(entry.path, "no-parts")}`,
  ];
  const options = [...OWN_USER, ...privateState(entry.path), ...elsewhere];
  await entry.locked(async () => {
    for (const each of ["lists/partial", "cache/archives/partial", "state"])
      await mkdir(join(entry.path, each), { recursive: true });
    await writeFile(list, `${sources.map(lineOf).join("\n")}\n`);
    await updateLists(entry.path, options, undefined);
  });
  return options;
}

function lineOf({ uri, release, component }: Source): string {
  return `deb ${uri} ${release} ${component}`;
}

/** What a machine with nothing installed would get for them. */
async function versions(state: readonly string[], wanted: readonly string[]): Promise<string> {
  const nothing = ["-o", "Dir::State::status=/dev/null", "-o", "APT::Install-Recommends=false"];
  const { stdout } = await run("apt-get", [...state, ...nothing, "--simulate", "install", "?essential", ...wanted], {
    check: true,
  });
  const lines = [...stdout.matchAll(/^Inst (\S+) \((\S+)/gm)].map(([, name, version]) => `${name} ${version}`);
  return lines.sort().join("\n");
}

/** A place of Debian's archive, of one release of it. */
export interface Source {
  readonly uri: string;
  /** For instance bookworm, or bookworm-security. */
  readonly release: string;
  readonly component: string;
}

/** Where apt gets Debian's own packages from. */
export async function debianSources(state: readonly string[] = []): Promise<Source[]> {
  const format = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)";
  const { stdout } = await run("apt-get", [...state, "indextargets", "--format", format, "Created-By: Packages"], {
    check: true,
  });
  const targets = [...new Set(stdout.split("\n"))].map((line) => line.split("|"));
  return targets.flatMap(([origin, uri, release, component]) =>
    origin === "Debian" && uri && release && component ? [{ uri, release, component }] : [],
  );
}

/** The same places, of another release of Debian. */
export function sourcesOf(suite: string, sources: readonly Source[]): Source[] {
  const own = suiteOf(sources);
  return sources.map(({ uri, release, component }) => ({ uri, release: release.replace(own, suite), component }));
}

/** Makes a tree of a release of Debian and writes it to a tar archive. */
async function bootstrap(
  sources: readonly Source[],
  wanted: readonly string[],
  tar: string,
  options: readonly string[] = [],
): Promise<void> {
  const lines = sources.map(lineOf);
  await run(
    "mmdebstrap",
    [
      ...["--quiet", "--format=tar", "--variant=minbase", `--include=${wanted.join(",")}`],
      "--dpkgopt=path-exclude=/usr/share/doc/*",
      "--dpkgopt=path-exclude=/usr/share/locale/*",
      // The machines are started by a kernel and a first file system from outside.
      '--essential-hook=echo do_initrd=no > "$1/etc/kernel-img.conf"',
      ...[...options, suiteOf(sources), tar, ...lines],
    ],
    { check: true, env: { INITRD: "No" } },
  );
}

/** What commands print in a tree of a release of Debian in which a file is /root/given, and which is then dropped. */
export async function saidIn(
  sources: readonly Source[],
  wanted: readonly string[],
  file: string,
  commands: readonly string[],
): Promise<string> {
  await using directory = await temporaryDirectory();
  const output = join(directory.path, "output");
  const steps = commands.map((each) => `chroot "$1" sh -c '${each}' >> '${output}' 2>&1`);
  const hooks = [`upload '${file}' /root/given.deb`, ...steps].map((step) => `--customize-hook=${step}`);
  try {
    await bootstrap(sources, wanted, "/dev/null", hooks);
  } catch (error) {
    throw new Error(await readFile(output, "utf8").catch(() => ""), { cause: error });
  }
  return await readFile(output, "utf8");
}

/** Of all, the one that the others are updates of. */
function suiteOf(sources: readonly Source[]): string {
  return sources.find(({ release }) => !release.includes("-"))?.release ?? "stable";
}
