/** Debian's suites, whichever of them this machine runs: each by lists of its own, so that a bad one drops itself alone. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cache } from "../../lib/cache.ts";
import type { CacheEntry } from "../../lib/cache-entry.ts";
import { SutureError } from "../../lib/error.ts";
import { mapParallel } from "../../lib/parallel.ts";
import { run } from "../../lib/run.ts";
import type { KernelOptions } from "../kernel/kernel-source.ts";
import { type Archive, joined, OWN_USER, privateState, suiteArchive, updateLists } from "./debian-archive.ts";

/** One line of a sources.list. */
export interface Suite {
  /** For instance trixie-backports. */
  readonly name: string;
  /** The release that it is part of, for instance trixie. */
  readonly release: string;
  readonly archive: Archive;
  readonly mirror: Mirror;
}

/** From where Debian comes to this machine. */
interface Mirror {
  readonly address: string;
  /** As sources.list(5) has them in brackets. */
  readonly options: string;
}

/** The suites whose lists could be had, and why the others could not. */
export interface Suites {
  readonly suites: readonly Suite[];
  readonly dropped: readonly { readonly name: string; readonly why: string }[];
}

/** What kernels for amd64 are in, the oldest release first. Those of a security archive end so. */
const KNOWN: readonly { readonly release: string; readonly suites: readonly string[] }[] = [
  { release: "bookworm", suites: ["bookworm", "bookworm-updates", "bookworm-security", "bookworm-backports"] },
  { release: "trixie", suites: ["trixie", "trixie-updates", "trixie-security", "trixie-backports"] },
  { release: "forky", suites: ["forky"] },
  { release: "sid", suites: ["sid", "experimental"] },
];

/** What may be otherwise with lists that are up to date. */
const NOT_THERE = new Set(["KERNEL_NOT_IN_ARCHIVE", "PACKAGE_MISSING", "DOWNLOAD_FAILED"]);

/**
 * What `ask` finds in Debian's suites: in the lists that the cache has of them,
 * else in new ones. Undefined where it finds nothing, or no suite can be reached.
 */
export async function askSuites<Found>(
  options: KernelOptions,
  ask: (suites: readonly Suite[]) => Promise<Found | undefined>,
): Promise<Found | undefined> {
  const kept = await keptSuites(options.cache, options.signal);
  try {
    const found = kept.length === 0 ? undefined : await ask(kept);
    if (found !== undefined) return found;
  } catch (error) {
    if (!(error instanceof SutureError) || !NOT_THERE.has(error.code)) throw error;
  }
  const suites = await freshSuites(options);
  return suites.length === 0 ? undefined : await ask(suites);
}

/** Those that the cache has lists of, as they are. */
export async function keptSuites(cache: Cache, signal: AbortSignal | undefined): Promise<readonly Suite[]> {
  return (await openSuites(cache, "kept", signal)).suites;
}

/** Once in a run. */
const FRESH = new WeakMap<Cache, Promise<readonly Suite[]>>();

/** All known suites that can be reached, by lists that were brought up to date in this run; of the others it is said why. */
export async function freshSuites({ cache, progress, signal }: KernelOptions): Promise<readonly Suite[]> {
  const update = async (): Promise<readonly Suite[]> => {
    progress.step("updating the lists of Debian's suites");
    const { suites, dropped } = await openSuites(cache, "new", signal);
    for (const { name, why } of dropped) progress.note(`${name} is left out: ${why}`);
    return suites;
  };
  const known = FRESH.get(cache) ?? update();
  FRESH.set(cache, known);
  return await known;
}

const AT_ONCE = 4;

/** All known suites: by the lists that the cache has of them as they are, or by new ones. */
export async function openSuites(
  cache: Cache,
  lists: "kept" | "new",
  signal: AbortSignal | undefined,
): Promise<Suites> {
  const mirrors = await machineMirrors(signal);
  if (mirrors === undefined) return { suites: [], dropped: [] };
  const suites: Suite[] = [];
  const dropped: { name: string; why: string }[] = [];
  const wanted = KNOWN.flatMap(({ release, suites: names }) => names.map((name) => ({ release, name })));
  await mapParallel(
    wanted,
    AT_ONCE,
    async ({ release, name }) => {
      const mirror = name.endsWith("-security") ? mirrors.security : mirrors.main;
      const own = new OwnLists(cache, `suite-${name}`, lineOf("deb", name, mirror));
      try {
        if (lists === "new") await own.update(signal);
        else if (!(await own.areThere())) return;
        suites.push({ release, name, mirror, archive: suiteArchive(own.options, signal) });
      } catch (error) {
        if (!(error instanceof SutureError) || error.code !== "ARCHIVE_UNREACHABLE") throw error;
        dropped.push({ name, why: error.where ?? error.message });
      }
    },
    signal,
  );
  const order = wanted.map(({ name }) => name);
  return { suites: suites.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name)), dropped };
}

function lineOf(kind: "deb" | "deb-src", suite: string, { options, address }: Mirror): string {
  return `${kind} [${options} target=${kind === "deb" ? "Packages" : "Sources"}] ${address} ${suite} main`;
}

/** All suites of the release that one is of, that one first. */
export function sameRelease(all: readonly Suite[], suite: Suite): Archive {
  const others = all.filter((each) => each.release === suite.release && each !== suite);
  return joined([suite, ...others].map(({ archive }) => archive));
}

/** Options for apt by which it knows the source packages of a suite alone. Throws `ARCHIVE_UNREACHABLE`. */
export async function suiteSources(
  { name, mirror }: Suite,
  cache: Cache,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const own = new OwnLists(cache, `sources-${name}`, lineOf("deb-src", name, mirror));
  await own.update(signal);
  return own.options;
}

/** Lists of one line of a sources.list, in a directory of the cache. */
class OwnLists {
  /** For apt: by these alone it knows the lists. */
  readonly options: readonly string[];
  readonly #entry: CacheEntry;
  readonly #line: string;

  constructor(cache: Cache, name: string, line: string) {
    this.#entry = cache.named("apt", name);
    this.#line = line;
    this.options = [
      ...["-c", this.#at("apt.conf")],
      ...OWN_USER,
      ...privateState(this.#entry.path),
      ...["-o", `Dir::Etc::SourceList=${this.#at("sources.list")}`],
      ...["-o", `Dir::Etc::SourceParts=${this.#at("no-parts")}`],
      // There are many, and they are asked more often than they change.
      ...["-o", "Dir::Cache::pkgcache=pkgcache.bin"],
    ];
  }

  /** Whether there are some, from this place. */
  async areThere(): Promise<boolean> {
    const line = await readFile(this.#at("sources.list"), "utf8").catch(() => "");
    const names = await readdir(this.#at("lists")).catch(() => []);
    return line === `${this.#line}\n` && names.some((name) => /_(Packages|Sources)(\.\w+)?$/.test(name));
  }

  /** Throws `ARCHIVE_UNREACHABLE`. */
  async update(signal: AbortSignal | undefined): Promise<void> {
    await this.#entry.locked(
      async () => {
        for (const each of ["lists/partial", "cache/archives/partial", "state"]) {
          await mkdir(this.#at(each), { recursive: true });
        }
        await writeFile(this.#at("sources.list"), `${this.#line}\n`);
        await writeFile(this.#at("apt.conf"), WITHOUT_HOOKS);
        await updateLists(this.#entry.path, this.options, signal);
      },
      { signal },
    );
  }

  #at(path: string): string {
    return join(this.#entry.path, path);
  }
}

/** Programs that the machine runs after its own lists were updated; these are not its own. */
const WITHOUT_HOOKS = ["Pre-Invoke", "Post-Invoke", "Post-Invoke-Success"]
  .map((when) => `#clear APT::Update::${when};\n`)
  .join("");

/** The two places that suites come from. */
interface Mirrors {
  readonly main: Mirror;
  readonly security: Mirror;
}

/** Names by which machines follow a release without naming it. */
const ALIASES = ["oldstable", "stable", "testing", "unstable"];

/** The archive's keys, as Debian's package of them has them. */
const KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** By the sources that apt has here, whether or not it has lists of them; undefined where none of them is Debian's. */
async function machineMirrors(signal: AbortSignal | undefined): Promise<Mirrors | undefined> {
  const listed = await run("apt-get", ["update", "--print-uris"], { signal });
  const names = new Set([...ALIASES, ...KNOWN.map(({ release }) => release)]);
  const sources = [...listed.stdout.matchAll(/^'([^'\s]+)\/dists\/([^'\s]+)\/InRelease'/gm)]
    .map(([, address = "", suite = ""]) => ({ address, suite }))
    .filter(({ suite }) => names.has(suite.split(/[-/]/, 1)[0] ?? ""));
  const isSecurity = /-security$|\/updates$/;
  const main = sources.find(({ suite }) => !isSecurity.test(suite));
  if (main === undefined) return undefined;
  // Debian's own hosts, and most mirrors, have both side by side.
  const security = sources.find(({ suite }) => isSecurity.test(suite))?.address ?? `${main.address}-security`;
  const options = ["arch=amd64", "lang=none", ...(existsSync(KEYS) ? [`signed-by=${KEYS}`] : [])].join(" ");
  return { main: { address: main.address, options }, security: { address: security, options } };
}
